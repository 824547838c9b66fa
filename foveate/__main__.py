"""``python -m foveate`` is the command ``foveate``."""

from foveate.cli import main

raise SystemExit(main())

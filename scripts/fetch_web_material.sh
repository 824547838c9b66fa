#!/bin/sh
# Install the CSS kits, page templates and icon sets that foveate.grounding.synthetic.web renders.
#
# Everything goes to .cache/web beside the checkout's root, which git ignores. Run it again to complete a broken install.
set -eu
cd "$(dirname "$0")/.."
mkdir -p .cache/web
cd .cache/web
[ -f package.json ] || npm init -y >/dev/null
npm install --no-audit --no-fund --ignore-scripts \
    bootstrap bootswatch @tabler/core @coreui/coreui bulma fomantic-ui-css uikit foundation-sites @picocss/pico \
    @primer/css @primer/primitives spectre.css materialize-css water.css milligram purecss halfmoon @uswds/uswds \
    govuk-frontend @carbon/styles @ionic/core framework7 weui sakura.css mvp.css \
    startbootstrap-sb-admin-2 startbootstrap-sb-admin startbootstrap-agency startbootstrap-creative \
    startbootstrap-freelancer startbootstrap-clean-blog startbootstrap-grayscale startbootstrap-landing-page \
    startbootstrap-new-age startbootstrap-resume startbootstrap-stylish-portfolio \
    bootstrap-icons @tabler/icons lucide-static remixicon @mdi/svg ionicons boxicons @primer/octicons feather-icons \
    @fortawesome/fontawesome-free @material-design-icons/svg @phosphor-icons/core @fluentui/svg-icons heroicons \
    iconoir @carbon/icons
python -m pip install faker
# Fonts give the pages more looks; without them the installed ones are used. Needs the rights of root.
if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    apt-get install -y --no-install-recommends chromium fonts-roboto-unhinted fonts-roboto-slab fonts-open-sans \
        fonts-lato fonts-noto-core fonts-inter fonts-cantarell fonts-droid-fallback fonts-firacode fonts-comfortaa \
        fonts-crosextra-carlito fonts-crosextra-caladea fonts-cabin fonts-quicksand fonts-jetbrains-mono \
        fonts-noto-color-emoji fonts-oxygen fonts-dosis fonts-karla fonts-manrope fonts-play
fi

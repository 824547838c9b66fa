"""No golden case of a family goes unread: its tests name every one, and none has come or gone."""

import ast
from pathlib import Path
from types import ModuleType

import pytest

# Golden cases of each family.
COUNTS = {
    "biformer": 10,
    "nat": 7,
    "dinat": 17,
    "overlock": 8,
    "patnet": 15,
    "fasternet": 6,
    "ulsam": 9,
    "ela": 6,
    "lightnet": 6,
}


@pytest.mark.parametrize("family", COUNTS)
def test_every_golden_case_of_a_family_is_a_test(family: str, golden: ModuleType) -> None:
    cases = golden.cases(family)
    assert len(cases) == COUNTS[family]
    tree = ast.parse(Path(__file__).with_name(f"test_{family}.py").read_text())
    named = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    unread = [case for case in cases if named.isdisjoint((case, case.partition("/")[2]))]
    assert not unread, f"test_{family}.py does not name {', '.join(unread)}"

"""docs/adr: what a decision says is shown by a test is shown by one that exists."""

import re

from tests.unit.program import ROOT

CLIENT = ROOT / "docs" / "adr" / "0013-the-handlers-api-client.md"


def test_every_point_that_the_handlers_client_is_held_to_has_its_test() -> None:
    known = {
        name
        for path in (ROOT / "tests" / "unit").glob("test_handler_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)\(", path.read_text(), re.MULTILINE)
    }
    table = CLIENT.read_text().partition("| point |")[2].partition("\n\n")[0]
    rows = [line for line in table.splitlines() if line.startswith("| ")]
    named = [re.findall(r"`(test_\w+)`", row.rsplit(" | ", 1)[-1]) for row in rows]
    assert len(rows) >= 19 and all(named), "a point without a test"
    assert {name for names in named for name in names} <= known

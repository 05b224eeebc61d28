"""A slice of the comparison with Pigeonhole, and the differences that are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.differential import engine
from tests.differential.compare import Case, compare
from tests.differential.differences import KNOWN, Known
from tests.differential.messages import Mail
from tests.differential.pigeonhole import Pigeonhole
from tests.differential.scripts import quoted
from tests.peers.process import open_folder

pytestmark = pytest.mark.peer

FIRST, COUNT = 20_000, 200
KINDS = (
    "header", "address", "envelope", "exists", "size", "string", "date", "body", "mime", "foreverypart", "ihave",
    ":is", ":contains", ":matches", ":value", ":count", ":regex", "set", "addheader", "deleteheader",
)  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "sieve-differences.md"


@pytest.fixture(scope="module")
def pigeonhole() -> Iterator[Pigeonhole]:
    with open_folder("sieve") as folder:
        yield Pigeonhole(folder)


def test_random_scripts_do_the_same_in_both(pigeonhole: Pigeonhole) -> None:
    kinds: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for seed in range(FIRST, FIRST + COUNT):
        case = Case.draw(seed)
        kinds.update(case.kinds)
        difference = compare(case, pigeonhole)
        assert difference is None, f"seed {seed}: `python -m tests.differential --first {seed} --cases 1`\n{difference}"
        outcomes.update(line.partition(":")[0] for line in engine.play(case.script, case.mail))
    assert not engine.why_refused(Case.draw(FIRST).script)
    assert "refused" not in outcomes
    assert "failed" not in outcomes
    for kind in KINDS:
        assert kinds[kind] > COUNT // 5, kinds
    for action in ("store message in folder", "redirect message to", "discard"):
        assert outcomes[action], outcomes


@pytest.mark.parametrize("known", KNOWN, ids=lambda known: known.name)
def test_what_is_known_to_differ_differs_still(known: Known, pigeonhole: Pigeonhole) -> None:
    required = ", ".join(map(quoted, ("fileinto", *known.needs)))
    script = f'require [{required}];\n{known.before} if {known.test} {{ fileinto "T"; }}'
    mail = Mail(known.content.replace("\n", "\r\n").encode("utf-8", "surrogateescape"), "a@x.example", "b@y.example")
    outcomes = engine.play(script, mail), pigeonhole.play(script, mail)
    is_true = ["store message in folder: T" in outcome for outcome in outcomes]
    assert is_true == [known.is_true, not known.is_true], outcomes


def test_what_is_known_to_differ_is_told() -> None:
    told = " ".join(PAGE.read_text().split())
    assert [known.name for known in KNOWN if known.why not in told] == []

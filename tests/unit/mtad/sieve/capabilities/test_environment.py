from __future__ import annotations

import pytest

from mtad.sieve.dialects import POLICY
from mtad.sieve.errors import SieveErrors
from mtad.sieve.script import compile_script
from tests.fakes.sieve_facts import StillFacts, is_true

FACTS = StillFacts(environment={"remote-ip": "192.0.2.1", "name": "mtad"})


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('environment "remote-ip" "192.0.2.1"', True),
        ('environment "Remote-IP" "192.0.2.1"', True),
        ('environment :matches "remote-ip" "192.0.2.*"', True),
        ('environment :contains "name" ["X", "TAD"]', True),
        ('environment "phase" ""', True),
        ('environment :matches "vnd.other.item" "*"', False),
    ],
)
def test_items(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"environment"') is expected


@pytest.mark.parametrize(("item", "count"), [("name", "1"), ("phase", "0")])
def test_an_item_that_is_not_known_counts_as_none(item: str, count: str) -> None:
    assert is_true(f'environment :count "eq" "{item}" "{count}"', FACTS, '"environment", "relational"')


def test_a_misspelt_item_of_ours_is_an_error() -> None:
    text = 'require ["environment", "vnd.mtad.stage"];\nstage "ehlo" { if environment "vnd.mtad.hello" "x" { stop; } }'
    found = compile_script(text, "t", POLICY)
    assert isinstance(found, SieveErrors)
    assert str(found) == 't:2:31: unknown item "vnd.mtad.hello"'

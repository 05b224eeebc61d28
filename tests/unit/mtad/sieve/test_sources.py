"""Which fields a test reads: one of several by its index."""

from __future__ import annotations

import pytest

from tests.fakes.sieve_facts import StillFacts, is_true

CONTENT = b"X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nTo: a@d.example, b@d.example\r\nCc: c@d.example\r\n\r\n"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ('header :index 1 "x-a" "1"', True),
        ('header :index 2 "x-a" "3"', True),
        ('header :index 2 "x-a" "1"', False),
        ('header :index 3 "x-a" ["1", "3"]', False),
        ('header :index 1 :last "x-a" "3"', True),
        ('header :index 3 :last "x-a" ["1", "3"]', False),
        ('header :index 1 ["x-a", "x-b"] "2"', False),  # RFC 5260 §6: counted through all, in the order of the names
        ('header :index 3 ["x-a", "x-b"] "2"', True),
        ('header :index 1 ["x-b", "x-a"] "2"', True),
        ('header :index 3 ["x-b", "x-a"] "3"', True),
        ('header :index 1 :last ["x-b", "x-a"] "3"', True),
        ('header :index 4 ["x-b", "x-a"] ["1", "2", "3"]', False),
        ('header :count "eq" :index 2 ["x-b", "x-a"] "1"', True),
        ('address :index 1 ["to", "cc"] "b@d.example"', True),  # a field, not an address
        ('address :index 2 ["to", "cc"] "c@d.example"', True),
        ('address :index 2 ["to", "cc"] "b@d.example"', False),
        ('header :mime :anychild :index 3 ["x-a", "x-b"] "2"', True),
    ],
)
def test_the_index_counts_fields(test: str, expected: bool) -> None:
    assert is_true(test, StillFacts(CONTENT), '"index", "relational", "mime"') is expected

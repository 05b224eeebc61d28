from __future__ import annotations

import pytest

from mtad.sieve.comparators import ascii_casemap, unicode_casemap
from tests.fakes.sieve_facts import StillFacts, filed, is_true

FACTS = StillFacts("Subject: ÄRGER im Café\r\n\r\n".encode())
UNICODE = ':comparator "i;unicode-casemap"'


@pytest.mark.parametrize("rest", ["", "Ä", "\udcff", "Ä\udcc3\udc84\ud800\u0130"])
def test_ascii_letters_alone_are_folded(rest: str) -> None:
    assert ascii_casemap(rest + "@[AZaz" + rest) == rest + "@[azaz" + rest


@pytest.mark.parametrize(("one", "other"), [("ä", "Ä"), ("ä", "a\u0308"), ("ς", "Σ"), ("ſ", "S"), ("a", "A")])
def test_what_unicode_takes_for_the_same(one: str, other: str) -> None:
    assert unicode_casemap(one) == unicode_casemap(other)


@pytest.mark.parametrize(("one", "other"), [("ß", "ss"), ("a", "ä"), ("ﬁ", "FI")])
def test_what_it_does_not(one: str, other: str) -> None:
    assert unicode_casemap(one) != unicode_casemap(other)


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (f'header {UNICODE} "subject" "ärger IM cafÉ"', True),
        ('header "subject" "ärger im café"', False),
        (f'header :contains {UNICODE} "subject" "CAFÉ"', True),
        (f'header :value "lt" {UNICODE} "subject" "b"', True),
    ],
)
def test_the_comparator(test: str, expected: bool) -> None:
    assert is_true(test, FACTS, '"comparator-i;unicode-casemap", "relational"') is expected


def test_wildcards_stand_for_the_value_as_it_was() -> None:
    text = (
        'require ["variables", "fileinto", "comparator-i;unicode-casemap"];'
        f'if header :matches {UNICODE} "subject" "*g*cafÉ*" {{ fileinto "${{1}}|${{2}}|${{3}}"; }}'
    )
    assert filed(text, FACTS) == ["ÄR|ER im |"]

from __future__ import annotations

import pytest

from mtad.sieve.run import ScriptFailed
from tests.fakes.sieve_facts import StillFacts, filed, first_error

FACTS = StillFacts(b"Subject: x\r\n\r\n", envelope={"from": ["a@x.example"], "to": []})
REQUIRE = 'require ["ihave", "fileinto"];'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('if ihave "envelope" { if envelope :domain "from" "x.example" { fileinto "y"; } }', ["y"]),
        ('if ihave "envelope" { } if envelope :domain "from" "x.example" { fileinto "y"; }', ["y"]),
        ('if ihave ["vnd.x", "envelope"] { snow :far "a" { melt; } } else { fileinto "n"; }', ["n"]),
        ('if not ihave "vnd.x" { fileinto "n"; }', ["n"]),
        ('if allof (ihave "vnd.x", snow "deep") { melt; } else { fileinto "n"; }', ["n"]),
        ('if allof (ihave "envelope", envelope "from" "a@x.example") { fileinto "y"; }', ["y"]),
        ('if anyof (ihave "vnd.x", true) { fileinto "y"; }', ["y"]),
        (
            'if anyof (ihave "vnd.x", ihave "vnd.y") { melt; } elsif ihave "vnd.z" { melt; } else { fileinto "n"; }',
            ["n"],
        ),
        ('if not allof (ihave "vnd.x", true) { fileinto "y"; }', ["y"]),
        ('if true { if ihave "vnd.x" { melt; stop; } } fileinto "y";', ["y"]),
    ],
)
def test_what_is_not_there_is_not_looked_at(text: str, expected: list[str]) -> None:
    assert filed(REQUIRE + text, FACTS) == expected


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('if ihave "envelope" { snow; }', "unknown command snow"),
        ('if not ihave "envelope" { } snow;', "unknown command snow"),
        ('if anyof (ihave "vnd.x", snow) { }', "unknown test snow"),
        ('if not ihave "vnd.x" { melt; }', "unknown command melt"),
        ('if false { melt; }', "unknown command melt"),
        ("if ihave { }", "argument 1 of ihave must be a constant string or a list of them"),
        ("ihave;", "ihave is a test, not a command"),
    ],
)  # fmt: skip
def test_what_is_there_is_checked_as_ever(text: str, error: str) -> None:
    assert first_error(REQUIRE + text).split(": ", 1)[1] == error


def test_error_ends_the_run() -> None:
    with pytest.raises(ScriptFailed, match="no notify"):
        filed(REQUIRE + 'if not ihave "notify" { error "no notify"; }', FACTS)

"""What a stranger may send to: our domains and postmaster, and none of the forms that ask for a relay."""

from __future__ import annotations

import pytest

from mtad.admission.relay import is_ours, plain_domain

DOMAINS = frozenset({"l.example", "kernel.example"})


@pytest.mark.parametrize(
    "recipient",
    [
        "u@l.example",
        "u@L.Example",
        "U+tag@l.example",
        '"u v"@l.example',
        "postmaster",
        "PostMaster",
        "postmaster@l.example",
    ],
)
def test_ours(recipient: str) -> None:
    assert is_ours(recipient, DOMAINS)


@pytest.mark.parametrize(
    "listed", ["bücher.example", "Bücher.Example", "xn--bcher-kva.example", "XN--bcher-kva.example"]
)
@pytest.mark.parametrize("said", ["bücher.example", "BÜCHER.example", "bu\u0308cher.example", "xn--bcher-kva.Example"])
def test_a_domain_is_ours_in_both_of_its_forms(listed: str, said: str) -> None:
    assert is_ours(f"u@{said}", {plain_domain(listed)})


@pytest.mark.parametrize("said", ["\u212aernel.example", "bucher.example", "xn--kernel.example", "ü" * 64 + ".example"])
def test_what_looks_like_one_of_ours_is_not(said: str) -> None:
    assert not is_ours(f"u@{said}", {plain_domain("kernel.example"), plain_domain("bücher.example")})


OPEN_RELAY_FORMS = [
    "u@d.example",
    "u%d.example@l.example",
    "u%d.example@[192.0.2.25]",
    "u%d.example@mx.l.example",
    '"u@d.example"',
    '"u%d.example"',
    '"u@d.example"@l.example',
    '"u%d.example"@l.example',
    "u@d.example@l.example",
    "u@d.example@[192.0.2.25]",
    "d.example!u",
    "d.example!u@l.example",
    '"d.example!u"@l.example',
    "d.example!u@[192.0.2.25]",
    "@l.example:u@d.example",
    "@[192.0.2.25]:u@d.example",
    "u@d.example.",
    "u@l.example.",
    "u@[203.0.113.9]",
    "u@[192.0.2.25]",
    "u%d.example",
    "u@l.example%d.example",
    "u@l.example@d.example",
    "postmaster@d.example",
    "u@d.example\0@l.example",
    "u@sub.l.example",
    "u@xl.example",
    "u@\u217c.example",  # a Roman numeral that looks like l, and folds to it
    "u@\u212aernel.example",  # the Kelvin sign, whose lower case is k
    "u",
    "",
    "<u@l.example>",
    "u@",
    "@l.example",
]


@pytest.mark.parametrize("recipient", OPEN_RELAY_FORMS)
def test_not_ours(recipient: str) -> None:
    assert not is_ours(recipient, DOMAINS)

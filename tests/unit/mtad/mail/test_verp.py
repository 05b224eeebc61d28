"""Reverse-paths that name their recipient."""

from __future__ import annotations

import pytest

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.mail.verp import LOCAL_PART_OCTETS_MAX, verp_path

BASE = "news@lists.example"


@pytest.mark.parametrize(
    ("path", "recipient", "made"),
    [
        (BASE, "ann@d.example", "news+ann=d.example@lists.example"),
        (BASE, "a=b+c@D.example", "news+a=b+c=D.example@lists.example"),
        ("news+1@lists.example", "ann@d.example", "news+1+ann=d.example@lists.example"),
    ],
)
def test_the_recipient_is_named(path: str, recipient: str, made: str) -> None:
    assert verp_path(path, recipient) == made
    assert isinstance(parse_mailbox(made), Mailbox)
    user, _, domain = made.removeprefix(f"{path.partition('@')[0]}+").rpartition("@")[0].rpartition("=")
    assert f"{user}@{domain}" == recipient


@pytest.mark.parametrize(
    ("path", "recipient"),
    [
        ("", "ann@d.example"),
        (BASE, ""),
        ('"n s"@lists.example', "ann@d.example"),
        (BASE, '"a b"@d.example'),
        (BASE, "ann@[192.0.2.1]"),
        (BASE, "jörg@d.example"),
        (BASE, "ann@bücher.example"),
    ],
)
def test_who_cannot_be_named_is_not(path: str, recipient: str) -> None:
    assert verp_path(path, recipient) == path


def test_a_path_that_would_be_too_long_names_nobody() -> None:
    room = LOCAL_PART_OCTETS_MAX - len("news+=d.example")
    assert verp_path(BASE, f"{'a' * room}@d.example") == f"news+{'a' * room}=d.example@lists.example"
    assert verp_path(BASE, f"{'a' * (room + 1)}@d.example") == BASE

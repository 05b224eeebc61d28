"""The examples of RFC 4013 §3, and what else a name or a password may hold."""

from __future__ import annotations

import pytest

from mtad.users.saslprep import saslprep


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("gru\u0308n", "gr\u00fcn"),
        ("\u05d0\u05d1", "\u05d0\u05d1"),
        ("horse\U0001f434", "horse\U0001f434"),
    ],
)
def test_is_prepared(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize(
    "text",
    ["", "\u0007", "a\nb", "\u00ad", "gr\u00fcn\u0000", "\u06271", "\u05d0a\u05d0", "\ufffd\u00e4", "\ue000"],
)
def test_is_refused(text: str) -> None:
    assert saslprep(text) is None

from __future__ import annotations

import pytest

from mtad.sieve import message as message_module
from mtad.sieve.message import BODY_OCTETS_MAX, HEADER_OCTETS_MAX, NESTING_MAX, Message


def test_fields_are_found_by_folded_name_unfolded_and_stripped() -> None:
    message = Message(b"Subject:  two\r\n words \r\nX-A: 1\r\nx-a : 2\r\nnonsense\r\n\r\nX-A: 3\r\n")
    assert message.values("subject") == ["two words"]
    assert message.values("x-a") == ["1", "2"]
    assert message.values("none") == []
    assert message.has("x-a")
    assert not message.has("none")


@pytest.mark.parametrize("content", [b"", b"\r\nA: b\r\n\r\n", b"\nA: b\n\n"])
def test_a_message_may_have_no_fields(content: bytes) -> None:
    assert not Message(content).has("a")


def test_bare_line_feeds_end_lines_too() -> None:
    message = Message(b"A: 1\n more\nB: 2\n\nC: 3\n")
    assert (message.values("a"), message.values("b"), message.has("c")) == (["1 more"], ["2"], False)


def test_octets_that_are_no_text_stay_distinguishable() -> None:
    assert Message(b"A: \xff\xfe\r\n\r\n").values("a") == ["\udcff\udcfe"]


def test_addresses_of_all_fields_of_a_name() -> None:
    message = Message(b"To: A <a@x>,\r\n b@y\r\nTo: c@z\r\n\r\n")
    assert message.addresses("to") == ["a@x", "b@y", "c@z"]


def test_fields_behind_the_limit_are_not_seen() -> None:
    message = Message(b"A: 1\r\n" + b"X: " + b"x" * HEADER_OCTETS_MAX + b"\r\nB: 2\r\n\r\n")
    assert message.has("a")
    assert not message.has("b")


def test_a_field_is_decoded_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def spy(value: str) -> str:
        asked.append(value)
        return value

    monkeypatch.setattr(message_module, "decoded", spy)
    message = Message(b"A: 1\r\nB: 2\r\n\r\n")
    assert message.values("a") == message.values("a") == ["1"]
    assert asked == [" 1"]


def test_nested_messages_and_how_deep_they_are_read() -> None:
    content = b"Content-Type: message/rfc822\n\n" * (NESTING_MAX + 5) + b"Subject: x\n\n"
    assert len(list(Message(content).walk())) == NESTING_MAX + 1


def test_long_bodies_are_cut() -> None:
    message = Message(b"\r\n" + b"x" * (BODY_OCTETS_MAX + 1))
    assert len(message.text()) == len(message.raw_body()) == BODY_OCTETS_MAX


def test_fields_in_place_of_its_own() -> None:
    message = Message(b"A: 1\r\nB: 2\r\n\r\nbody")
    other = message.with_fields([("A", "3"), ("a", "4")])
    assert (other.values("a"), other.has("b"), other.fields()) == (["3", "4"], False, [("A", "3"), ("a", "4")])
    assert (other.text(), message.values("a")) == ("body", ["1"])

from __future__ import annotations

import pytest

from mtad.sieve import message as message_module
from mtad.sieve.allowance import SHARES_MAX, Share
from mtad.sieve.message import NESTING_MAX, RAW_OCTETS_MAX, Message


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
    message = Message(b"A: 1\r\n" + b"X: " + b"x" * SHARES_MAX[Share.HEADER_OCTETS] + b"\r\nB: 2\r\n\r\n")
    assert message.has("a")
    assert not message.has("b")


def test_a_field_is_decoded_once_and_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def spy(value: str) -> str:
        asked.append(value)
        return value

    monkeypatch.setattr(message_module, "decoded", spy)
    message = Message(b"A: =?1\r\nB: =?2\r\nC: 3\r\n\r\n")
    assert message.values("a") == message.values("a") == ["=?1"]
    assert message.values("c") == ["3"]
    assert asked == [" =?1"]


def test_nested_messages_and_how_deep_they_are_read() -> None:
    content = b"Content-Type: message/rfc822\n\n" * (NESTING_MAX + 5) + b"Subject: x\n\n"
    assert len(list(Message(content).walk())) == NESTING_MAX + 1


def test_long_bodies_are_cut() -> None:
    message = Message(b"\r\n" + b"x" * (RAW_OCTETS_MAX + SHARES_MAX[Share.TEXT_OCTETS]))
    assert (len(message.raw_body()), len(message.text())) == (RAW_OCTETS_MAX, SHARES_MAX[Share.TEXT_OCTETS])


def multipart(*parts: bytes) -> Message:
    return Message(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + b"\n--b\n".join(parts) + b"\n--b--\n")


class TestAllowance:
    """What is seen of a message in all, whatever it is made of; and that looking again sees the same."""

    def test_fields_of_all_parts(self) -> None:
        fields_max = SHARES_MAX[Share.FIELDS]
        message = multipart(b"A: 1\n" * (fields_max - 5) + b"\n1", b"B: 1\n" * 10 + b"\n2", b"C: 1\n\n3")
        counts = [len(part.fields()) for part in message.walk()]
        assert (sum(counts), counts[1], counts[3]) == (fields_max, fields_max - 5, 0)
        assert [len(part.fields()) for part in message.walk()] == counts
        assert [part.text() for part in message.parts] == ["1", "2", "3"]

    def test_header_sections_of_all_parts(self) -> None:
        long = b"A: " + b"x" * (SHARES_MAX[Share.HEADER_OCTETS] // 2) + b"\n\ntext"
        message = multipart(long, long, b"B: 1\n\nlast")
        assert [part.has("a") for part in message.parts] == [True, True, False]
        assert [part.text() for part in message.parts] == ["text", "", ""]

    def test_bodies_of_all_parts(self) -> None:
        half = SHARES_MAX[Share.TEXT_OCTETS] // 2
        message = multipart(b"\n" + b"x" * half, b"\n" + b"y" * (half + 5), b"\nz")
        for _ in range(2):
            assert [len(part.text()) for part in message.parts] == [half, half, 0]

    def test_wide_text_of_all_parts(self) -> None:
        wide = b"Content-Type: text/plain; charset=utf-16be\n\n"
        characters_max = SHARES_MAX[Share.WIDE_OCTETS] // 2
        message = multipart(wide + b"\0x" * (characters_max - 1), wide + b"\0y" * 5, b"\nz")
        for _ in range(2):
            assert [part.text()[-3:] for part in message.parts] == ["xxx", "y", "z"]

    def test_what_stands_around_parts(self) -> None:
        message = Message(b"Content-Type: multipart/mixed; boundary=b\n\nbefore\n--b\n\none\n--b--\nbehind\n")
        for _ in range(2):
            assert list(message.contents()) == ["before", "behind\n"]

    def test_pages(self) -> None:
        page = b"Content-Type: text/html\n\n" + b"x" * (SHARES_MAX[Share.PAGES_LENGTH] - 2)
        message = multipart(page, b"Content-Type: text/html\n\n<b>bold", b"\nplain")
        for _ in range(2):
            assert [part.shown_text()[:5] for part in message.parts] == ["xxxxx", "", "plain"]

    def test_encoded_words(self) -> None:
        word = "=?utf-8?q?a?="
        count = SHARES_MAX[Share.ENCODED_LENGTH] // len(word)
        message = Message(f"A: {'x' * 100_000}\nB: {word}\nC: {word * 2 * count}\n\n".encode())
        (found,) = message.values("c")
        assert (found[:count], found.count(word)) == ("a" * count, count)
        assert message.values("b") == [word], "what was asked for before has taken all"
        assert Message(f"B: {word}\n\n".encode()).values("b") == ["a"]

    def test_addresses(self) -> None:
        message = Message(b"To: a@b\n" * SHARES_MAX[Share.FIELDS] + b"\n")
        found = message.addresses("to")
        assert 1000 < len(found) < SHARES_MAX[Share.ADDRESSES_LENGTH] // 16
        assert message.addresses("to") == found

    def test_each_message_has_its_own(self) -> None:
        message = Message(b"\n" + b"x" * SHARES_MAX[Share.TEXT_OCTETS])
        assert message.text() == message.with_fields([("A", "1")]).text()


def test_fields_in_place_of_its_own() -> None:
    message = Message(b"A: 1\r\nB: 2\r\n\r\nbody")
    other = message.with_fields([("A", "3"), ("a", "4")])
    assert (other.values("a"), other.has("b"), other.fields()) == (["3", "4"], False, [("A", "3"), ("a", "4")])
    assert (other.text(), message.values("a")) == ("body", ["1"])

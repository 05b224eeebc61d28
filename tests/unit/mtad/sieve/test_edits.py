from __future__ import annotations

import time
from email.header import decode_header, make_header

import pytest

from mtad.sieve.edits import LINE_LENGTH_MAX, AddField, DeleteFields, Edit, NewContent, edited, one_line

CONTENT = b"A: 1\r\nB: 2\r\n  more\r\na : 3\r\n\r\nbody\r\nA: 4\r\n"


@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([], CONTENT),
        ([AddField("X", "y")], b"X: y\r\n" + CONTENT),
        ([AddField("X", "y", is_last=True)], CONTENT.replace(b"\r\n\r\n", b"\r\nX: y\r\n\r\n")),
        ([DeleteFields("a", (1,))], CONTENT.replace(b"a : 3\r\n", b"")),
        ([DeleteFields("a", (0, 1))], CONTENT.replace(b"A: 1\r\n", b"").replace(b"a : 3\r\n", b"")),
        ([DeleteFields("b", (0,))], CONTENT.replace(b"B: 2\r\n  more\r\n", b"")),
        ([AddField("A", "0"), DeleteFields("a", (1,))], b"A: 0\r\n" + CONTENT.replace(b"A: 1\r\n", b"")),
        ([DeleteFields("none", (0,))], CONTENT),
    ],
)
def test_edits_one_after_the_other(edits: list[Edit], expected: bytes) -> None:
    assert edited(CONTENT, edits) == expected


@pytest.mark.parametrize("length", [LINE_LENGTH_MAX - 1, LINE_LENGTH_MAX, 8000])
def test_no_line_is_longer_than_a_line_may_be(length: int) -> None:
    field = edited(b"", [AddField("X", "a " + "b" * length)]).decode("ascii").removesuffix("\r\n\r\n")
    assert max(map(len, field.split("\r\n"))) <= LINE_LENGTH_MAX
    value = field.removeprefix("X: ").replace("\r\n", "")
    assert str(make_header(decode_header(value))).replace(" ", "") == "a" + "b" * length


def test_a_long_row_of_blanks_is_read_once() -> None:
    began = time.process_time()
    assert len(one_line("a" + " " * 300_000 + "b")) == 300_002
    assert time.process_time() - began < 5  # for each blank to its end: minutes


def test_no_value_can_bring_a_field_of_its_own() -> None:
    assert edited(b"\r\nbody", [AddField("X", "a\r\nEvil: b\nc\rd\0e")]) == b"X: a Evil: b c d e\r\n\r\nbody"
    for end in "\v\f\x1c\x1d\x1e\x85\u2028\u2029":
        assert edited(b"\r\nbody", [AddField("X", f"a{end}Evil: b")]) == b"X: a Evil: b\r\n\r\nbody"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b"X: y\r\n\r\n"),
        (b"\r\nbody", b"X: y\r\n\r\nbody"),
        (b"A: 1", b"X: y\r\nA: 1\r\n\r\n"),
        (b" stray\r\nA: 1\r\n\r\n", b" stray\r\nX: y\r\nA: 1\r\n\r\n"),
        (b"A: 1\n\nbody\n", b"X: y\r\nA: 1\n\nbody\n"),
    ],
)
def test_messages_without_a_header_section_or_a_body(content: bytes, expected: bytes) -> None:
    assert edited(content, [AddField("X", "y")]) == expected


def test_long_values_are_folded_and_letters_encoded() -> None:
    long = edited(b"\r\n", [AddField("X", "word " * 40)])
    assert max(map(len, long.split(b"\r\n"))) <= 78
    assert long.replace(b"\r\n", b"") == b"X: " + b"word " * 39 + b"word"
    assert edited(b"\r\n", [AddField("X", "Grüße")]) == b"X: =?utf-8?b?R3LDvMOfZQ==?=\r\n\r\n"
    assert b"\xff" not in edited(b"\r\n", [AddField("X", "a\udcff")])


def test_what_takes_the_place_of_a_message_takes_that_of_its_changes_too() -> None:
    whole = NewContent(b"A: new\r\n\r\nbody\r\n")
    assert edited(b"B: old\r\n\r\n", [AddField("X", "y"), whole]) == whole.content
    changed = edited(b"B: old\r\n\r\n", [AddField("X", "y"), whole, DeleteFields("a", (0,)), AddField("Z", "z")])
    assert changed == b"Z: z\r\n\r\nbody\r\n"
    assert "body" not in repr(whole)

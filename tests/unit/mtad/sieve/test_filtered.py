"""What a program writes in place of a message: whether it is one."""

from __future__ import annotations

import pytest

from mtad.sieve.filtered import LINE_OCTETS_MAX, BadMessage, message_of

BEFORE = b"Received: by a\r\nReceived: by b\r\nSubject: x\r\n\r\nReceived: in a body\r\n"
FIELDS = b"received: by a\r\nRECEIVED : by b\r\n"


@pytest.mark.parametrize(
    ("output", "content"),
    [
        (FIELDS + b"A: b\r\n\r\nbody\r\n", FIELDS + b"A: b\r\n\r\nbody\r\n"),
        (FIELDS + b"\r\nbody", FIELDS + b"\r\nbody\r\n"),
        (FIELDS, FIELDS),
        (FIELDS + b"A: b", FIELDS + b"A: b\r\n"),
        (b"Received: 1\nReceived: 2\n c\n\nbody\nx\r\n", b"Received: 1\r\nReceived: 2\r\n c\r\n\r\nbody\r\nx\r\n"),
        (FIELDS + b"\r\nno: field\r\nReceived", FIELDS + b"\r\nno: field\r\nReceived\r\n"),
        (FIELDS + b"\r\n" + b"x" * (LINE_OCTETS_MAX - 2) + b"\r\n", None),
        (FIELDS + b"\r\n\xff\xfe\r\n", None),
    ],
)  # fmt: skip
def test_messages(output: bytes, content: bytes | None) -> None:
    assert message_of(output, BEFORE) == (output if content is None else content)


@pytest.mark.parametrize(
    ("output", "why"),
    [
        (b"", "nothing"),
        (b"Usage: look [-x]\r\nlook looks\r\n\r\n", "no header section"),
        (b"From a@d.example Thu Jan 1\r\n" + BEFORE, "no header section"),
        (b" continued\r\n" + BEFORE, "no header section"),
        (b": no name\r\n" + BEFORE, "no header section"),
        (b"two words: x\r\n" + BEFORE, "no header section"),
        (BEFORE + b"\0", "a NUL"),
        (BEFORE + b"a\rb\r\n", "a CR that ends no line"),
        (BEFORE + b"a\r\r\n", "a CR that ends no line"),
        (BEFORE + b"x" * (LINE_OCTETS_MAX - 1) + b"\r\n", "a line of more than"),
        (BEFORE.replace(b"Received: by b\r\n", b""), "took out Received fields"),
        (b"\r\n" + BEFORE, "took out Received fields"),
        (b"Subject: x\r\n\r\n" + BEFORE, "took out Received fields"),
    ],
)
def test_what_is_no_message(output: bytes, why: str) -> None:
    found = message_of(output, BEFORE)
    assert isinstance(found, BadMessage)
    assert why in found


def test_a_message_without_fields_may_stay_without() -> None:
    assert message_of(b"\r\nnew\r\n", b"\r\nbody\r\n") == b"\r\nnew\r\n"

"""What dialogs do not show: dots, addresses, and calls that make no sense."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mtad.delivery.client_commands import path_octets, stuffed
from mtad.delivery.client_events import Greeting, Mail
from mtad.delivery.client_protocol import ClientProtocol


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", b""),
        (b"a\r\n", b"a\r\n"),
        (b".\r\n", b"..\r\n"),
        (b".a\r\n.\r\n..\r\na.\r\n", b"..a\r\n..\r\n...\r\na.\r\n"),
        (b"\r\n.\r\n", b"\r\n..\r\n"),
    ],
)
def test_dots_are_doubled_at_the_start_of_lines(content: bytes, expected: bytes) -> None:
    assert stuffed(content) == expected


@pytest.mark.parametrize(
    "content", [b"a", b"a\n", b"a\r", b"\n\r", b"a\r\r\n", b"a\n\r\n", b"a\r\n.\n\r\n", b"a\rb\nc\r\n"]
)
def test_content_with_stray_line_ends_is_not_sent(content: bytes) -> None:
    assert stuffed(content) is None


@pytest.mark.parametrize(
    ("address", "is_utf8", "expected"),
    [
        ("u@b.test", False, b"u@b.test"),
        ("", False, b""),
        ('"a b"@b.test', False, b'"a b"@b.test'),
        ("\u00fc@b.test", True, b"\xc3\xbc@b.test"),
        ("\u00fc@b.test", False, None),
        ("u@b.test\r\nDATA", True, None),
        ("u@b.test>", True, None),
        ("u\0@b.test", True, None),
        ("\udc80@b.test", True, None),
    ],
)
def test_addresses(address: str, is_utf8: bool, expected: bytes | None) -> None:
    assert path_octets(address, is_utf8=is_utf8) == expected


def opened() -> ClientProtocol:
    core = ClientProtocol(Greeting("us.test"))
    core.receive(b"220 mx\r\n")
    core.receive(b"250 mx\r\n")
    return core


@pytest.mark.parametrize(
    "act",
    [
        lambda core: core.recipient("u@b.test"),
        lambda core: core.data(9),
        lambda core: core.reset(),
        lambda core: core.end_of_data(),
        lambda core: core.begin(Mail("x@a.test\r\n")),
        lambda core: [core.begin(Mail("x@a.test")), core.begin(Mail("x@a.test"))],
        lambda core: [core.begin(Mail("x@a.test")), core.recipient("u\n@b.test")],
        lambda core: [core.begin(Mail("x@a.test")), core.end_of_data()],
        lambda core: [core.begin(Mail("x@a.test")), core.data(9), core.recipient("u@b.test")],
        lambda core: [core.begin(Mail("x@a.test")), core.data(9), core.reset()],
    ],
)
def test_calls_that_make_no_sense_are_refused(act: Callable[[ClientProtocol], object]) -> None:
    core = opened()
    with pytest.raises(ValueError, match=r"no |nothing "):
        act(core)


def test_octets_after_the_end_are_ignored() -> None:
    core = opened()
    core.lost("closed")
    assert core.receive(b"250 still here\r\n") == []
    assert core.lost("again") == []
    assert core.to_send() == b""

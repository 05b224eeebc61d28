"""Whatever a client says where users come in: valid replies, and no mail from who has not shown who it is."""

from __future__ import annotations

import asyncio
import base64
import re
from collections import Counter
from dataclasses import replace
from unittest import mock

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtad.server import smtp
from mtad.server.entrance import SUBMISSION
from mtad.server.limits import Limits
from mtad.server.listener import Identity, Server
from mtad.telemetry.events import CollectedEvents
from tests.dialog.wires import MemoryWire
from tests.fakes.server_rooms import FakeRooms
from tests.fakes.users import FakeUsers


def _base64(octets: bytes) -> bytes:
    return base64.b64encode(octets)


_GOOD = b"\0alice@here.example\0pencil"
_RESPONSES = st.sampled_from(
    [
        _base64(_GOOD),
        _base64(b"\0alice@here.example\0eraser"),
        _base64(b"\0carol@here.example\0pencil"),
        _base64(b"bob@here.example" + _GOOD),
        _base64(b"alice@here.example"),
        _base64(b"pencil"),
        _base64(b"n,,n=alice@here.example,r=abc"),
        _base64(b"c=biws,r=abc,p=AAAA"),
        b"=",
        b"*",
        b"",
        b"no base64",
    ]
)
_LINES = st.one_of(
    st.sampled_from([b"EHLO client.example", b"HELO client.example", b"RSET", b"STARTTLS", b"x" * 13_000]),
    st.sampled_from([b"MAIL FROM:<alice@here.example>", b"MAIL FROM:<>", b"RCPT TO:<one@example.net>"]),
    st.builds(
        lambda name, response: b"AUTH %b %b" % (name, response),
        st.sampled_from([b"PLAIN", b"LOGIN", b"SCRAM-SHA-256", b"EXTERNAL"]),
        _RESPONSES,
    ),
    st.sampled_from([b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH SCRAM-SHA-256", b"AUTH"]),
    _RESPONSES,
    st.binary(max_size=30),
)
_PIECES = st.builds(lambda line, end: line + end, _LINES, st.sampled_from([b"\r\n"] * 9 + [b"\n", b""]))
_BAD = b"AUTH PLAIN %b\r\n" % _base64(b"\0alice@here.example\0eraser")
_RUNS = st.sampled_from(
    [
        (b"AUTH PLAIN %b\r\n" % _base64(_GOOD), b"MAIL FROM:<alice@here.example>\r\n"),
        (b"AUTH LOGIN\r\n", _base64(b"alice@here.example") + b"\r\n", _base64(b"pencil") + b"\r\n"),
        (_BAD, _BAD, _BAD),
    ]
)
_DIALOGS = st.builds(
    lambda hello, parts: [hello, *(piece for part in parts for piece in part)],
    st.sampled_from([b"EHLO client.example\r\n", b"EHLO client.example\r\n", b""]),
    st.lists(st.one_of(st.tuples(_PIECES), st.tuples(_PIECES), _RUNS), max_size=12),
)
_REPLY_LINE = re.compile(rb"[2-5][0-5][0-9][ -][\x20-\x7e]{0,505}\r\n")


async def converse(pieces: list[bytes], *, is_over_tls: bool) -> tuple[list[bytes], CollectedEvents]:
    """Send the pieces; return what the server said."""
    rooms, events = FakeRooms(authenticator=FakeUsers(alice="pencil", bob="eraser")), CollectedEvents()
    server = Server(Identity("mx.here.example"), Limits(), rooms.collaborators(), events, rooms.time.clock())
    plain = smtp.client_of
    with mock.patch.object(smtp, "client_of", lambda *known: replace(plain(*known), is_tls=is_over_tls)):
        wire = MemoryWire(server, entrance=SUBMISSION)
    greeting = await wire.line()
    for piece in pieces:
        await wire.send(piece)
        for _ in range(5):
            await asyncio.sleep(0)
    await wire.close()
    assert server.sessions_count == 0
    return (greeting + await wire.replies.read()).splitlines(keepends=True), events


def test_nobody_sends_mail_who_has_not_authenticated() -> None:
    reached: Counter[bytes] = Counter()

    @settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(_DIALOGS, st.sampled_from([True, True, True, False]))
    def check(pieces: list[bytes], is_over_tls: bool) -> None:
        lines, events = asyncio.run(converse(pieces, is_over_tls=is_over_tls))
        said = b"".join(lines)
        assert [line for line in lines if not _REPLY_LINE.fullmatch(line)] == []
        assert events.named("session.fault") == []
        before, authenticated, _ = said.partition(b"235 2.7.0")
        assert b"250 2.1.0" not in before
        assert bool(authenticated) == (len(events.named("auth.succeeded")) == 1)
        assert is_over_tls or not authenticated
        reached.update(re.findall(rb"^(?:235|334|250 2\.1\.0|421|454|50[014]|53[0-9])", said, re.MULTILINE))

    check()
    wanted = {b"235", b"250 2.1.0", b"334", b"421", b"500", b"501", b"504", b"530", b"535", b"538"}
    assert wanted <= set(reached), wanted - set(reached)

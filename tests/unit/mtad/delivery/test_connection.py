"""Opening connections: TLS levels, time-outs, what is seen of a peer that does not answer."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from mtad.delivery.client_events import Mail, NotOpened, Step
from mtad.delivery.connection import Connection, Content, Hop, Timeouts, connect, unverified_tls_context
from mtad.mail.dsn_request import NO_REQUEST
from mtad.mail.outcome import Result
from mtad.mail.route import TlsLevel
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.outgoing import TIMEOUTS, Silent, outgoing, to
from tests.fakes.scripted_server import HANG, PLAIN_EXTENSIONS, STALL, Script, ScriptedServer
from tests.fakes.waiting import WAIT_SECONDS

U = "u@b.test"


@pytest.fixture
def tls_context(tmp_path: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody has a reason to trust."""
    credentials = CertificateAuthority(tmp_path).issue("elsewhere.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(credentials.cert_path, credentials.key_path)
    return context


async def opened(server: ScriptedServer, tls: TlsLevel) -> Connection | NotOpened:
    hop = Hop(server.host, server.port, "mx.test", tls=tls)
    return await connect(hop, "us.test", TIMEOUTS, unverified_tls_context())


@pytest.mark.parametrize("level", [TlsLevel.MAY, TlsLevel.ENCRYPT])
async def test_message_over_tls(level: TlsLevel, tls_context: ssl.SSLContext) -> None:
    async with ScriptedServer(Script(tls_context=tls_context)) as server, outgoing() as out:
        _, finished = await out.through({U: to(server, tls=level)})
        assert finished.outcomes[U].result is Result.DELIVERED
        content = b"a: b\r\n\r\n" + b"large\r\n" * 100_000
        assert (await out.attempt({U: to(server, tls=level)}, content))[U].result is Result.DELIVERED
        assert [message.is_tls for message in server.messages] == [True, True]
        assert server.messages[1].content == content
        assert server.connections_count == 1
        assert server.commands[:4] == ["EHLO us.test", "STARTTLS", "EHLO us.test", "MAIL FROM:<x@a.test>"]


async def test_no_tls_when_the_route_says_so(tls_context: ssl.SSLContext) -> None:
    async with ScriptedServer(Script(tls_context=tls_context)) as server:
        connection = await opened(server, TlsLevel.NONE)
        assert isinstance(connection, Connection)
        assert not connection.is_tls
        connection.quit()


@pytest.mark.parametrize(("level", "expected"), [(TlsLevel.MAY, Result.DELIVERED), (TlsLevel.ENCRYPT, Result.DELAYED)])
@pytest.mark.parametrize("script", [Script(), Script(extensions=("STARTTLS",), replies={"starttls": "454 4.7.0 No"})])
async def test_tls_not_offered_or_refused(level: TlsLevel, expected: Result, script: Script) -> None:
    async with ScriptedServer(script) as server, outgoing() as out:
        outcomes = await out.attempt({U: to(server, tls=level)})
        assert outcomes[U].result is expected
        assert [message.is_tls for message in server.messages] == [False] * (level is TlsLevel.MAY)


async def test_words_in_clear_text_behind_the_220_end_the_connection() -> None:
    script = Script(extensions=("STARTTLS",), replies={"starttls": "220 go\n250 injected"})
    async with ScriptedServer(script) as server, outgoing() as out:
        outcomes = await out.attempt({U: to(server, tls=TlsLevel.MAY)})
        assert outcomes[U].reply.text == "4.4.2 Connection lost: talked before the TLS handshake"
        assert server.messages == []


@pytest.mark.parametrize(("level", "expected"), [(TlsLevel.MAY, Result.DELIVERED), (TlsLevel.ENCRYPT, Result.DELAYED)])
async def test_a_handshake_that_is_never_answered(level: TlsLevel, expected: Result) -> None:
    script = Script(extensions=(*PLAIN_EXTENSIONS, "STARTTLS"))  # its 220 is followed by commands in clear text
    async with ScriptedServer(script) as server, outgoing(timeouts=replace(TIMEOUTS, tls_seconds=0.1)) as out:
        outcomes = await out.attempt({U: to(server, tls=level)})
        assert outcomes[U].result is expected
        assert outcomes[U].reply.enhanced == ("2.0.0" if level is TlsLevel.MAY else "4.7.5")


@pytest.mark.parametrize("step", ["banner", "ehlo", "starttls"])
async def test_a_peer_that_does_not_answer(step: str) -> None:
    script = Script(replies={step: HANG}, extensions=("STARTTLS",))
    async with ScriptedServer(script) as server:
        answer = await opened(server, TlsLevel.ENCRYPT)
        assert isinstance(answer, NotOpened)
        assert str(answer.reply) == "450 4.4.2 Connection lost: timed out"
        assert answer.is_reached


def test_the_time_outs_are_those_of_the_rfc() -> None:
    minutes = {step: Timeouts().of(step) / 60 for step in Step}
    assert minutes == {
        Step.BANNER: 5,
        Step.EHLO: 5,
        Step.HELO: 5,
        Step.STARTTLS: 5,
        Step.AUTH: 5,
        Step.MAIL: 5,
        Step.RCPT: 5,
        Step.DATA: 2,
        Step.CHUNK: 10,
        Step.DOT: 10,
        Step.RSET: 1 / 6,
    }
    assert Timeouts().block_seconds == 180


class Dripping(ScriptedServer):
    """Begins a greeting that has no end, or reads no content and begins a reply to it little by little."""

    async def stall(self, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"220-a")
            await asyncio.sleep(0.05)


async def test_a_peer_that_drips_its_greeting_gains_no_time() -> None:
    async with Dripping(Script(replies={"banner": STALL})) as server, asyncio.timeout(WAIT_SECONDS):
        answer = await opened(server, TlsLevel.NONE)
        assert isinstance(answer, NotOpened)
        assert str(answer.reply) == "450 4.4.2 Connection lost: timed out"


async def test_a_peer_that_stops_reading_and_drips_gains_no_time() -> None:
    async with Dripping() as server, outgoing() as out, asyncio.timeout(WAIT_SECONDS):
        server.is_reading_content = False
        outcomes = await out.attempt({U: to(server)}, b"a: b\r\n\r\n" + b"much\r\n" * 3_000_000)
        assert outcomes[U].reply.text == "4.4.2 Connection lost: timed out"


async def test_what_a_peer_does_not_read_is_not_kept() -> None:
    async with ScriptedServer() as server:
        server.is_reading_content = False
        connection = await opened(server, TlsLevel.NONE)
        assert isinstance(connection, Connection)
        closed = asyncio.Event()
        connection.on_closed = lambda _: closed.set()
        connection.begin(Mail("x@a.test"), Silent())
        connection.ask({U: NO_REQUEST}, Content(b"much\r\n" * 3_000_000, 18_000_000))
        async with asyncio.timeout(WAIT_SECONDS):
            await closed.wait()


async def test_a_peer_that_stops_reading() -> None:
    async with ScriptedServer(Script(replies={"data": "354 go"})) as server, outgoing() as out:
        server.is_reading_content = False
        outcomes = await out.attempt({U: to(server)}, b"a: b\r\n\r\n" + b"much\r\n" * 3_000_000)
        assert outcomes[U].result is Result.DELAYED
        assert outcomes[U].reply.text == "4.4.2 Connection lost: timed out"

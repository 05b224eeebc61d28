"""STARTTLS (RFC 3207) on asyncio's loop and on uvloop's (conftest.py): nothing said in plain text counts after it."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from mtad.mail.envelope import Tls
from mtad.mail.notes import Noted, Notes
from mtad.mail.verdict import Verdict
from mtad.rehearsal.rooms import ScriptedThrough
from tests.dialog.certificate import contexts
from tests.dialog.conftest import Build, House
from tests.dialog.wires import MemoryTransport, SocketWire, greeted, reply, say, send_message
from tests.fakes.server_rooms import FakePolicy

ENVELOPE = ("MAIL FROM:<sender@client.example>", "RCPT TO:<one@example.net>", "DATA")


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    folder: Path = tmp_path_factory.mktemp("tls")
    return contexts(folder)


@pytest.fixture
async def house(build: Build, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> House:
    return await build(tls_context=tls[0])


async def secured(house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> SocketWire:
    """Return a connection right after its handshake."""
    wire = await house.socket()
    await greeted(wire)
    assert await say(wire, "STARTTLS") == ["220 2.0.0 Ready to start TLS"]
    await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    return wire


async def test_a_message_over_tls(house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    wire = await secured(house, tls)
    await wire.send(b"EHLO client.example\r\n")
    lines = await reply(wire)
    assert not any("STARTTLS" in line for line in lines)
    content = b"Subject: secret\r\n\r\n" + b"x" * 300_000
    assert (await send_message(wire, content)).startswith("250 ")
    assert b"with ESMTPS id" in house.rooms.delivery.contents[0]
    assert house.rooms.delivery.contents[0].endswith(content + b"\r\n")
    assert await say(wire, "STARTTLS") == ["503 5.5.1 TLS is active already"]
    assert (await say(wire, "QUIT"))[0].startswith("221 ")
    assert await wire.line() == b""


async def test_is_offered_before(house: House) -> None:
    wire = await house.socket()
    await reply(wire)
    await wire.send(b"EHLO client.example\r\n")
    assert "250-STARTTLS" in await reply(wire)
    assert await say(wire, "STARTTLS now") == ["501 5.5.4 This command takes no argument"]


async def test_what_was_said_before_is_forgotten(house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    wire = await house.socket()
    await greeted(wire)
    await say(wire, *ENVELOPE[:2], "STARTTLS")
    house.rooms.policy = FakePolicy()  # loaded anew: not for this session
    await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    assert (await say(wire, "RCPT TO:<two@example.net>"))[0].startswith("503 ")
    assert house.rooms.policy.asked == []
    assert await say(wire, "MAIL FROM:<a@client.example>") == ["503 5.5.1 Send EHLO or HELO first"]
    assert house.rooms.delivery.opened[0].is_aborted


async def test_commands_behind_it_are_not_injected(house: House) -> None:
    """CVE-2011-0411: what is sent in plain text together with STARTTLS must not be read as if it came by TLS."""
    wire = await house.socket()
    await greeted(wire)
    await wire.send(b"STARTTLS\r\nEHLO evil.example\r\nMAIL FROM:<evil@client.example>\r\n")
    assert await reply(wire) == ["554 5.5.0 Client did not wait for its turn to speak"]
    assert await wire.line() == b""
    assert house.rooms.policy.asked == ["connect", "ehlo client.example"]


async def test_it_may_stand_behind_a_chunk_and_nothing_behind_it(
    house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    wire = await house.socket()
    await greeted(wire)
    await say(wire, *ENVELOPE[:2])
    await wire.send(b"BDAT 4\r\ntextSTARTTLS\r\n")
    assert [(await reply(wire))[0][:9] for _ in range(2)] == ["250 2.0.0", "220 2.0.0"]
    await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    assert house.server.octets_in_flight == 0
    assert await say(wire, "BDAT 0 LAST") == ["503 5.5.1 Need MAIL command"]
    injected = await house.socket()
    await greeted(injected)
    await injected.send(b"BDAT 4\r\ntextSTARTTLS\r\nMAIL FROM:<evil@client.example>\r\n")
    assert [(await reply(injected))[0][:3] for _ in range(2)] == ["503", "554"]
    assert await injected.line() == b""
    assert "mail evil@client.example" not in house.rooms.policy.asked


async def test_commands_after_its_reply_are_not_injected(
    house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    wire = await house.socket()
    await greeted(wire)
    await say(wire, "STARTTLS")
    wire.writer.write(b"MAIL FROM:<evil@client.example>\r\n")
    with pytest.raises((OSError, ssl.SSLError)):
        await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    while house.server.sessions_count:
        await asyncio.sleep(0)
    assert house.rooms.policy.asked == ["connect", "ehlo client.example"]


async def test_commands_that_arrive_with_its_reply_are_not_injected(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come while the reply leaves: after the check at the command, before the handshake begins."""
    wire = house.wire()
    await greeted(wire)
    write = MemoryTransport.write

    def write_and_receive(transport: MemoryTransport, data: bytes) -> None:
        write(transport, data)
        if data.startswith(b"220 2.0.0 Ready"):
            wire.connection.data_received(b"MAIL FROM:<evil@client.example>\r\n")

    monkeypatch.setattr(MemoryTransport, "write", write_and_receive)
    assert await say(wire, "STARTTLS") == ["220 2.0.0 Ready to start TLS"]
    assert await wire.line() == b""
    assert house.rooms.policy.asked == ["connect", "ehlo client.example"]
    assert len(house.events.named("session.tls_injection")) == 1


async def test_commands_that_arrive_while_the_transaction_is_dropped_are_not_injected(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To tell the next hops takes a while; plain text that comes meanwhile must not be read as if it came by TLS."""
    wire = house.wire()
    await greeted(wire)

    async def abort_and_receive(through: ScriptedThrough) -> None:
        wire.connection.data_received(b"MAIL FROM:<evil@client.example>\r\n")

    monkeypatch.setattr(ScriptedThrough, "abort", abort_and_receive)
    assert (await say(wire, *ENVELOPE[:2], "STARTTLS"))[-1].startswith("220 ")
    assert await wire.line() == b""
    assert len(house.events.named("session.tls_injection")) == 1


async def test_a_failed_handshake_ends_the_session(house: House) -> None:
    wire = await house.socket()
    await greeted(wire)
    await say(wire, "STARTTLS")
    await wire.send(b"this is no handshake\r\n" * 10)
    while house.server.sessions_count:
        await asyncio.sleep(0)
    assert house.events.named("session.fault") == []


async def test_a_dialog_in_single_octets_over_tls(house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    wire = await secured(house, tls)
    for octet in b"EHLO client.example\r\n":
        await wire.send(bytes((octet,)))
    assert (await reply(wire))[0] == "250-mx.here.example"
    assert (await send_message(wire, b"text")).startswith("250 ")


async def test_a_client_that_drops_in_the_data_over_tls(
    house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    wire = await secured(house, tls)
    await say(wire, "EHLO client.example")
    await say(wire, *ENVELOPE)
    await wire.send(b"half")
    wire.writer.transport.abort()
    while house.server.sessions_count:
        await asyncio.sleep(0)
    assert house.rooms.delivery.opened[0].is_aborted
    assert house.rooms.delivery.contents == []


@pytest.mark.parametrize(("is_in_order", "remembered_count"), [(True, 0), (False, 1)])
async def test_who_ends_a_session_in_order_has_heard_the_last_reply(
    house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext], is_in_order: bool, remembered_count: int
) -> None:
    wire = await secured(house, tls)
    await say(wire, "EHLO client.example")
    await send_message(wire, b"Subject: secret\r\n\r\nx")
    if is_in_order:
        await wire.close()
    else:
        wire.reset()
    while house.server.sessions_count:
        await asyncio.sleep(0)
    await house.server.acceptance.remembering.tasks.drained()
    assert len(house.rooms.memories.all) == remembered_count


async def test_behind_it_what_policy_noted_of_the_connection_is_known_and_of_the_name_is_not(
    house: House, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> None:
    house.rooms.policy.verdicts["connect"] = Verdict(noted=Noted(Notes({"at": "connect"})))
    house.rooms.policy.verdicts["ehlo"] = Verdict(noted=Noted(Notes({"at": "ehlo"})))
    wire = await house.socket()
    await greeted(wire)
    del house.rooms.policy.verdicts["ehlo"]
    await say(wire, "STARTTLS")
    await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    await say(wire, "EHLO client.example", *ENVELOPE[:2])
    (session,) = house.server._connections
    transaction = session.conversation.transaction
    assert transaction is not None
    assert transaction.envelope.client.notes == Notes({"at": "connect"})
    assert transaction.envelope.client.is_tls
    told = wire.writer.get_extra_info("ssl_object")
    assert transaction.envelope.client.tls == Tls(told.version(), told.cipher()[0])
    assert told.version() == "TLSv1.3"

"""Users come in by STARTTLS and by TLS at once, on asyncio's loop and on uvloop's, and show who they are."""

from __future__ import annotations

import asyncio
import base64
import smtplib
import ssl
from pathlib import Path

import pytest

from mtad.mail.envelope import Envelope
from mtad.mail.verdict import Verdict
from mtad.server.entrance import SUBMISSION, SUBMISSIONS, Entrance
from mtad.server.limits import Limits
from mtad.telemetry.events import CollectedEvents
from mtad.users.authenticator import Users
from tests.dialog.certificate import contexts
from tests.dialog.conftest import Build, House
from tests.dialog.wires import SocketWire, greeted, reply, say, send_message
from tests.fakes.server_rooms import FakeRooms
from tests.fakes.users import ScramClient, write_users

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]
ALICE = "alice@here.example"
PLAIN = f"AUTH PLAIN {base64.b64encode(f'{chr(0)}{ALICE}{chr(0)}pencil'.encode()).decode()}"
OK = "235 2.7.0 Authentication succeeded"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    return contexts(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def rooms(tmp_path: Path) -> FakeRooms:
    write_users(tmp_path / "users", alice="pencil")
    return FakeRooms(authenticator=Users(tmp_path / "users", CollectedEvents()))


async def connected(house: House, tls: Contexts) -> SocketWire:
    """Return a connection that begins with TLS."""
    wire = SocketWire(
        *await asyncio.open_connection("127.0.0.1", house.port, ssl=tls[1], server_hostname="mx.here.example")
    )
    house.wires.append(wire)
    return wire


async def envelope_of_alice(house: House, tls: Contexts) -> Envelope:
    """Have Alice authenticate and say MAIL; return the envelope that this begins."""
    wire = await connected(house, tls)
    await greeted(wire)
    await say(wire, PLAIN, f"MAIL FROM:<{ALICE}>")
    (connection,) = house.server._connections
    transaction = connection.conversation.transaction
    assert transaction is not None
    return transaction.envelope


async def secured(house: House, tls: Contexts) -> SocketWire:
    """Return a connection right after STARTTLS."""
    wire = await house.socket()
    await greeted(wire)
    assert (await say(wire, "STARTTLS"))[0].startswith("220 ")
    await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    return wire


async def by_scram(wire: SocketWire, client: ScramClient) -> str:
    def encoded(octets: bytes) -> str:
        return base64.b64encode(octets).decode()

    def challenged(line: str) -> bytes:
        assert line.startswith("334 "), line
        return base64.b64decode(line[4:])

    challenge = challenged((await say(wire, f"AUTH SCRAM-SHA-256 {encoded(client.first())}"))[0])
    answer = (await say(wire, encoded(client.final(challenge))))[0]
    if not answer.startswith("334 "):
        return answer
    assert client.trusts(challenged(answer))
    return (await say(wire, ""))[0]


class TestStartTls:
    async def test_auth_is_offered_after_it_and_needs_ehlo_again(
        self, build: Build, rooms: FakeRooms, tls: Contexts
    ) -> None:
        house = await build(rooms, tls_context=tls[0], entrance=SUBMISSION)
        wire = await house.socket()
        await reply(wire)
        await wire.send(b"EHLO client.example\r\n")
        lines = await reply(wire)
        assert "250-STARTTLS" in lines
        assert not any("AUTH" in line for line in lines)
        assert await say(wire, PLAIN, "MAIL FROM:<alice@here.example>") == [
            "538 5.7.11 Encryption required: send STARTTLS first",
            "530 5.7.0 Must issue a STARTTLS command first",
        ]
        assert (await say(wire, "STARTTLS"))[0].startswith("220 ")
        await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
        assert await say(wire, PLAIN) == ["503 5.5.1 Send EHLO first"]
        await wire.send(b"EHLO client.example\r\n")
        assert "250-AUTH SCRAM-SHA-256 PLAIN LOGIN" in await reply(wire)
        assert await say(wire, PLAIN) == [OK]
        await wire.send(b"EHLO client.example\r\n")
        assert not any("AUTH" in line for line in await reply(wire)), "it is over with once a session"
        assert (await send_message(wire, b"From: alice@here.example\r\n\r\ntext")).startswith("250 ")
        assert b"with ESMTPSA id" in house.rooms.delivery.contents[0]

    async def test_scram(self, build: Build, rooms: FakeRooms, tls: Contexts) -> None:
        house = await build(rooms, tls_context=tls[0], entrance=SUBMISSION)
        wire = await secured(house, tls)
        await say(wire, "EHLO client.example")
        assert await by_scram(wire, ScramClient(ALICE, "pencils")) == "535 5.7.8 Authentication credentials invalid"
        assert await by_scram(wire, ScramClient("carol", "pencil")) == "535 5.7.8 Authentication credentials invalid"
        assert await by_scram(wire, ScramClient(ALICE, "pencil")) == OK
        (succeeded,) = house.events.named("auth.succeeded")
        assert (succeeded["user"], succeeded["mechanism"]) == (ALICE, "SCRAM-SHA-256")

    async def test_a_client_that_does_not_wait(self, build: Build, rooms: FakeRooms, tls: Contexts) -> None:
        house = await build(rooms, tls_context=tls[0], entrance=SUBMISSION)
        wire = await secured(house, tls)
        await say(wire, "EHLO client.example")
        assert await say(wire, "AUTH LOGIN") == ["334 VXNlcm5hbWU6"]
        await wire.send(b"YWxpY2VAaGVyZS5leGFtcGxl\r\ncGVuY2ls\r\n")
        assert await reply(wire) == ["554 5.5.0 Client did not wait for its turn to speak"]
        assert await wire.line() == b""
        assert house.events.named("auth.succeeded") == []


class TestTlsAtOnce:
    async def test_a_message(self, build: Build, rooms: FakeRooms, tls: Contexts) -> None:
        house = await build(rooms, tls_context=tls[0], entrance=SUBMISSIONS)
        for _ in range(3):
            wire = await connected(house, tls)
            await reply(wire)
            await wire.send(b"EHLO client.example\r\n")
            lines = await reply(wire)
            assert not any("STARTTLS" in line for line in lines)
            assert await say(wire, "STARTTLS") == ["503 5.5.1 TLS is active already"]
            assert await say(wire, PLAIN) == [OK]
            assert (await send_message(wire, b"From: alice@here.example\r\n\r\ntext")).startswith("250 ")
        assert len(house.rooms.delivery.contents) == 3
        assert house.rooms.policy.asked.count("connect") == 3

    async def test_policy_knows_the_user(self, build: Build, rooms: FakeRooms, tls: Contexts) -> None:
        rooms.policy.verdicts[f"auth {ALICE}"] = Verdict(is_trusted=True)
        envelope = await envelope_of_alice(await build(rooms, tls_context=tls[0], entrance=SUBMISSIONS), tls)
        assert (envelope.client.identity, envelope.client.listener) == (ALICE, "submission")
        assert (envelope.is_submission, envelope.is_sender_verified) == (True, True)

    @pytest.mark.parametrize("stage", ["connect", "auth"])
    async def test_only_policy_that_knows_the_user_lets_it_send_as_anybody(
        self, stage: str, build: Build, rooms: FakeRooms, tls: Contexts
    ) -> None:
        rooms.policy.verdicts[stage] = Verdict(is_trusted=True)
        envelope = await envelope_of_alice(await build(rooms, tls_context=tls[0], entrance=SUBMISSIONS), tls)
        assert envelope.is_trusted is (stage == "auth")

    async def test_a_client_without_tls(self, build: Build, rooms: FakeRooms, tls: Contexts) -> None:
        house = await build(rooms, tls_context=tls[0], entrance=SUBMISSIONS)
        wire = await house.socket()
        await wire.send(b"EHLO client.example\r\nMAIL FROM:<alice@here.example>\r\n")
        while house.server.sessions_count:
            await asyncio.sleep(0)
        assert house.rooms.policy.asked == []
        assert house.events.named("session.fault") == []

    async def test_a_silent_client_is_counted_and_sent_away(
        self, build: Build, rooms: FakeRooms, tls: Contexts
    ) -> None:
        house = await build(rooms, Limits(sessions_max=1), tls_context=tls[0], entrance=SUBMISSIONS)
        await house.socket()
        while not house.server.sessions_count:
            await asyncio.sleep(0)
        second = await house.socket()
        assert await second.line() == b"", "too many, and nothing in clear text"
        house.rooms.time.advance(91)
        house.server.sweep(house.rooms.time.monotonic)
        while house.server.sessions_count:
            await asyncio.sleep(0)
        assert house.rooms.policy.asked == []


@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize("entrance", [SUBMISSION, SUBMISSIONS], ids=["starttls", "at once"])
async def test_pythons_own_client(
    mechanism: str, entrance: Entrance, build: Build, rooms: FakeRooms, tls: Contexts
) -> None:
    house = await build(rooms, tls_context=tls[0], entrance=entrance)

    def submit() -> None:
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # it has no way to be told whom it meets
        is_at_once = entrance is SUBMISSIONS
        address = ("127.0.0.1", house.port)
        with smtplib.SMTP_SSL(*address, context=trusting) if is_at_once else smtplib.SMTP(*address) as client:
            if not is_at_once:
                client.starttls(context=trusting)
            client.ehlo()
            client.user, client.password = ALICE, "pencil"  # type: ignore[attr-defined]
            assert client.auth(mechanism.upper(), getattr(client, f"auth_{mechanism}"))[0] == 235
            assert client.sendmail(ALICE, ["one@example.net"], "Subject: x\r\n\r\ntext\r\n") == {}

    await asyncio.to_thread(submit)
    content = house.rooms.delivery.contents[0]
    assert b"\r\nDate: " in content
    assert b"@mx.here.example>\r\n" in content

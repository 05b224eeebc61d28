"""What is said in clear text around STARTTLS never counts as said over TLS, on either side (CVE-2011-0411)."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from mtad.mail.outcome import Result
from mtad.mail.route import Route, TlsLevel
from tests.dialog.certificate import contexts
from tests.dialog.conftest import Build
from tests.dialog.wires import greeted, reply, say
from tests.fakes.outgoing import outgoing
from tests.fakes.scripted_server import Script, ScriptedServer

BEHIND = ["EHLO evil.example\r\n", "MAIL FROM:<evil@client.example>\r\n", "\r\n", "NOOP", "\0", " ", "\x16\x03\x01"]
BUFFERED = ["250 evil.example", "250-evil.example\n250 AUTH PLAIN", "2", "220 go", "421 bye", ""]
RECIPIENT = "u@b.test"

Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    folder: Path = tmp_path_factory.mktemp("tls")
    return contexts(folder)


@pytest.mark.parametrize("behind", BEHIND, ids=repr)
@pytest.mark.parametrize("verb", ["STARTTLS", "starttls"])
async def test_a_client_that_slips_something_in_is_sent_away(
    verb: str, behind: str, build: Build, tls: Contexts
) -> None:
    house = await build(tls_context=tls[0])
    wire = await greeted(await house.socket())
    await wire.send(f"{verb}\r\n{behind}".encode("latin-1"))
    assert (await reply(wire))[0].startswith(("554 5.5.0", "220 2.0.0"))
    assert await reply(wire) == []
    assert house.rooms.policy.asked == ["connect", "ehlo client.example"]


async def test_a_client_that_waits_is_served(build: Build, tls: Contexts) -> None:
    house = await build(tls_context=tls[0])
    wire = await house.socket()
    await greeted(wire)
    await say(wire, "STARTTLS")
    await wire.writer.start_tls(tls[1], server_hostname="mx.here.example")
    assert (await say(wire, "EHLO client.example"))[0].startswith("250")


@pytest.mark.parametrize("buffered", BUFFERED, ids=repr)
async def test_a_next_hop_whose_replies_came_in_clear_text_gets_nothing(buffered: str, tls: Contexts) -> None:
    script = Script(replies={"starttls": f"220 2.0.0 Go ahead\n{buffered}"}, tls_context=tls[0])
    async with ScriptedServer(script) as server, outgoing() as out:
        route = Route(hosts=("127.0.0.1",), port=server.port, tls=TlsLevel.ENCRYPT)
        outcome = (await out.attempt({RECIPIENT: route}))[RECIPIENT]
        assert outcome.result is Result.DELAYED
        assert server.messages == []
        assert [command for command in server.commands if command.startswith("MAIL")] == []


async def test_a_next_hop_that_waits_gets_the_message(tls: Contexts) -> None:
    async with ScriptedServer(Script(tls_context=tls[0])) as server, outgoing() as out:
        route = Route(hosts=("127.0.0.1",), port=server.port, tls=TlsLevel.ENCRYPT)
        assert (await out.attempt({RECIPIENT: route}))[RECIPIENT].result is Result.DELIVERED
        assert server.messages[0].is_tls

"""Contents in chunks through whole nodes: text to a real Postfix, binary content by BDAT to the end or not at all."""

from __future__ import annotations

import asyncio
import re
import smtplib
from contextlib import ExitStack

import pytest

from mtad.lab.conversation import Taken
from mtad.lab.sink import Sink
from tests.fakes.scripted_server import PLAIN_EXTENSIONS, Script, ScriptedServer
from tests.peers.dovecot import dovecot
from tests.peers.mtad import policy_to, single
from tests.peers.postfix import postfix
from tests.peers.process import wait_until

pytestmark = pytest.mark.timeout(120)

OFFERED = {"smtp": {"binarymime": True}}
BINARY = Script(extensions=(*PLAIN_EXTENSIONS, "CHUNKING", "BINARYMIME"))
TEXT_ALONE = Script(extensions=(*PLAIN_EXTENSIONS, "CHUNKING"))
HEADER = b"From: you@mtad.test\r\nContent-Transfer-Encoding: binary\r\n\r\n"
BODY = b"\0\r\n.\r\n\n\r" + bytes(range(256)) * 2000


def send(port: int, content: bytes, body: str = "BINARYMIME") -> list[int]:
    """Send a content in two chunks; return the replies to RCPT and to both."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo()
        client.mail("you@mtad.test", [f"BODY={body}"])
        codes = [client.rcpt("friend@example.test")[0]]
        for chunk, last in ((content[:30], b""), (content[30:], b" LAST")):
            client.send(b"BDAT %d%b\r\n%b" % (len(chunk), last, chunk))
            codes.append(client.getreply()[0])
        return codes


@pytest.mark.parametrize("actions", ["", "queue;"], ids=["through", "from-the-queue"])
async def test_binary_content_to_a_next_hop_that_takes_it(actions: str) -> None:
    async with ScriptedServer(BINARY) as server:
        with single(policy_to(server.port, actions=actions), OFFERED) as node:
            assert await asyncio.to_thread(send, node.smtp_port, HEADER + BODY) == [250, 250, 250]
            await asyncio.to_thread(wait_until, lambda: bool(server.messages), "it is there", node.log)
    [message] = server.messages
    assert message.content.endswith(HEADER + BODY)
    assert "BODY=BINARYMIME" in message.mail


async def test_binary_content_from_mtad_to_mtad() -> None:
    async with ScriptedServer(BINARY) as server:
        with single(policy_to(server.port), OFFERED) as behind, single(policy_to(behind.smtp_port), OFFERED) as node:
            assert await asyncio.to_thread(send, node.smtp_port, HEADER + BODY) == [250, 250, 250]
    [message] = server.messages
    assert message.content.endswith(HEADER + BODY)
    assert message.content.count(b"\r\nReceived: ") + message.content.startswith(b"Received: ") == 2


async def test_binary_content_that_waits_for_a_next_hop_without_it_is_told_of() -> None:
    async with ScriptedServer(TEXT_ALONE) as server:
        with single(policy_to(server.port, actions="queue;"), OFFERED) as node:
            assert await asyncio.to_thread(send, node.smtp_port, HEADER + BODY) == [250, 250, 250]
            await asyncio.to_thread(wait_until, lambda: bool(server.messages), "a DSN is there", node.log)
            await asyncio.to_thread(wait_until, lambda: not node.queue(), "the queue is empty", node.log)
    [report] = server.messages
    assert report.recipients == ("you@mtad.test",)
    assert b"\r\nStatus: 5.6.3\r\n" in report.content
    assert b"\r\nContent-Transfer-Encoding: binary\r\n" in report.content, "the header of what was not delivered"
    assert b"\0" not in report.content


@pytest.mark.peer
@pytest.mark.parametrize("size_octets", [10, 1_000_000])
async def test_chunks_of_dovecot(size_octets: int) -> None:
    """Dovecot's client uses BDAT where it is offered."""
    content = b"Subject: chunks\r\n\r\n.\r\n" + (b"x" * 98 + b"\r\n") * (size_octets // 100)
    async with ScriptedServer() as server:

        def deliver() -> str:
            with single(policy_to(server.port)) as node, dovecot(smtp_port=node.smtp_port) as proxy:
                with smtplib.LMTP("127.0.0.1", proxy.port, timeout=60) as client:
                    assert client.sendmail("you@mtad.test", ["one@example.test"], content) == {}
                return proxy.said

        said = await asyncio.to_thread(deliver)
    assert re.findall(r" (BDAT|DATA)", said)[0] == "BDAT"
    assert [message.recipients for message in server.messages] == [("one@example.test",)]
    assert server.messages[0].content.endswith(content)


@pytest.mark.peer
async def test_text_in_chunks_to_postfix_and_nothing_binary() -> None:
    taken: list[Taken] = []
    behind = Sink(taken.append)
    behind_port = await behind.listen()
    with ExitStack() as stack:
        relay = await asyncio.to_thread(stack.enter_context, postfix(behind_port))
        node = await asyncio.to_thread(stack.enter_context, single(policy_to(relay.port), OFFERED))
        assert (await asyncio.to_thread(send, node.smtp_port, HEADER + BODY))[0] == 554, (
            "at RCPT: Postfix has no BINARYMIME"
        )
        text = HEADER + b".\r\n..\r\n" + b"x" * 70_000
        assert await asyncio.to_thread(send, node.smtp_port, text, "8BITMIME") == [250, 250, 250]
        await asyncio.to_thread(wait_until, lambda: bool(taken), "it has arrived behind Postfix", relay.folder / "log")
    await behind.close()
    [message] = taken
    head, _, body = message.content.partition(b"\r\n\r\n")
    assert b"Content-Transfer-Encoding: binary" in head
    assert body.startswith(b".\r\n..\r\nxxx")
    assert body.endswith(b"\r\n")
    assert body.count(b"x") == 70_000

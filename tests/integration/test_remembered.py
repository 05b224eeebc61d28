"""A client that does not hear its reply and comes back, to two real nodes with two workers each, and with Postfix."""

from __future__ import annotations

import asyncio
import smtplib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from mtad.lab.conversation import Program, Taken
from mtad.lab.ports import free_port
from mtad.lab.sink import Sink
from mtad.startup.provision import make_dkim_key, make_server_certificate
from tests.peers.exim import exim
from tests.peers.mtad import AS_USED, MtadNode, pair, policy_to, single
from tests.peers.postfix import postfix
from tests.peers.process import wait_until
from tests.peers.relay import PLAIN, Errand

pytestmark = pytest.mark.timeout(150)

SETTINGS = {**AS_USED, "node": {"workers": 2}, "delivery": {"deadline_seconds": 10}}
CONTENT = b"Message-ID: <%d@client.example>\r\nSubject: x\r\n\r\nbody\r\n"
IN_DOUBT_SECONDS = 10 + 10 + 5  # the deadline, what the queue may take, and a little


class Client:
    """A client that brings one message, and may not stay to hear what became of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def connect(cls, node: MtadNode) -> Client:
        client = cls(*await asyncio.open_connection("127.0.0.1", node.smtp_port))
        await client.heard()
        await client.say("EHLO client.example")
        return client

    async def heard(self) -> str:
        """Return the last line of the next reply."""
        while (line := (await asyncio.wait_for(self._reader.readline(), 60)).decode())[3:4] == "-":
            pass
        return line.rstrip()

    async def say(self, command: str) -> str:
        self._writer.write(command.encode() + b"\r\n")
        return await self.heard()

    async def bring(self, number: int) -> None:
        """Send the message, its final dot and all."""
        for command in ("MAIL FROM:<me@client.example>", "RCPT TO:<you@next.example>", "DATA"):
            assert (await self.say(command))[0] in "23"
        self._writer.write(CONTENT % number + b".\r\n")
        await self._writer.drain()

    def go(self) -> None:
        """Close without having read what came."""
        self._writer.transport.abort()


async def bring_and_go(node: MtadNode, number: int) -> None:
    client = await Client.connect(node)
    await client.bring(number)
    client.go()


async def bring(node: MtadNode, number: int) -> str:
    """Bring a message as a client does that behaves; return the reply."""
    client = await Client.connect(node)
    await client.bring(number)
    said = await client.heard()
    await client.say("QUIT")
    client.go()
    return said


@asynccontextmanager
async def next_hop() -> AsyncIterator[tuple[Sink, list[Taken], int]]:
    taken: list[Taken] = []
    sink = Sink(taken.append)
    port = await sink.listen()
    try:
        yield sink, taken, port
    finally:
        await sink.close()


async def holds(condition: Callable[[], object], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what)


def events(node: MtadNode, name: str) -> list[str]:
    return [line for line in node.log.read_text().splitlines() if f"event={name} " in line]


def bringing(taken: list[Taken], number: int) -> int:
    """Return how often the next hop has this message."""
    return sum(CONTENT % number in each.content for each in taken)


async def until_the_pair_remembers(node: MtadNode, count: int) -> None:
    """Wait until so many messages are remembered by a node, and by its peer."""
    await holds(lambda: len(events(node, "mail.unheard")) == count, "the message is remembered")
    await holds(lambda: node.status()["peer"]["lag_records"] == 0, "its peer has the memory")


@pytest.mark.slow
async def test_whoever_comes_back_hears_the_result_at_either_node_whatever_has_died() -> None:
    with ExitStack() as stack:
        async with next_hop() as (sink, taken, port):
            one, two = await asyncio.to_thread(stack.enter_context, pair(policy_to(port), SETTINGS))

            # The first attempt goes on when the client is back: at both nodes it waits for the end.
            sink.program = Program(delay_seconds=1.0)
            await bring_and_go(one, 1)
            await asyncio.sleep(0.3)
            first, second = await asyncio.gather(bring(one, 1), bring(two, 1))
            assert first == second
            assert first.startswith("250 2.0.0 Ok: delivered (")
            assert bringing(taken, 1) == 1

            # The node that delivered it is dead when the client is back.
            sink.program = Program(delay_seconds=0.2)
            await bring_and_go(one, 2)
            await until_the_pair_remembers(one, 2)
            one.kill()
            assert (await bring(two, 2)).startswith("250 2.0.0 Ok: delivered (")
            assert bringing(taken, 2) == 1

            # It dies before it can tell what became of the attempt: the one case that costs a duplicate.
            await asyncio.to_thread(one.start)
            await holds(lambda: two.has_role("active") and two.is_protected(), "the pair is protected again")
            sink.program = Program(delay_seconds=60.0)  # whatever the machine does, it dies before the answer
            position = two.status()["position"]
            await bring_and_go(two, 3)
            await holds(lambda: two.status()["position"] > position, "the attempt is noted")
            await holds(lambda: two.status()["peer"]["lag_records"] == 0, "its peer knows of the attempt")
            two.kill()
            sink.program = Program()
            began = time.monotonic()
            assert (await bring(one, 3)).startswith("250 2.0.0 Ok: delivered (")
            waited_seconds = time.monotonic() - began
            print(f"waited {waited_seconds:.1f} s for a node that was dead; {bringing(taken, 3)} deliveries")
            assert 1 <= bringing(taken, 3) <= 2
            assert 5 < waited_seconds < IN_DOUBT_SECONDS
            assert len(events(one, "retry.in_doubt")) == 1
            await holds(lambda: one.status()["retries_in_doubt"] == 1, "it is counted")
            assert (await bring(one, 4)).startswith("250"), "what is new waits for nobody"
            assert bringing(taken, 4) == 1


@pytest.mark.peer
async def test_a_postfix_that_loses_patience_delivers_once() -> None:
    with ExitStack() as stack:
        async with next_hop() as (sink, taken, port):
            node = await asyncio.to_thread(stack.enter_context, single(policy_to(port), {"node": {"workers": 2}}))
            impatient = postfix(node.smtp_port, settings={"smtp_data_done_timeout": "1s"})
            client = await asyncio.to_thread(stack.enter_context, impatient)
            sink.program = Program(delay_seconds=2.5)
            await asyncio.to_thread(submit, client.port, "you@next.example")
            await holds(lambda: events(node, "retry.answered") and not client.queue(), "Postfix has its answer")
            assert "timed out while sending end of data" in client.log
            assert [each.recipients for each in taken] == [("you@next.example",)]
            answered_count = len(events(node, "retry.answered"))
            await holds(lambda: node.status()["retries_answered"] == answered_count, "they are counted")
            assert node.status()["queue"]["messages"] == 0


@pytest.mark.peer
async def test_an_exim_that_loses_patience_and_signs_anew_delivers_once(tmp_path: Path) -> None:
    make_dkim_key(tmp_path / "dkim.pem")
    keys = make_server_certificate("exim.lab.test", tmp_path)
    with ExitStack() as stack:
        async with next_hop() as (sink, taken, port):
            node = await asyncio.to_thread(stack.enter_context, single(policy_to(port), {"node": {"workers": 2}}))
            errand = Errand(free_port(), node.smtp_port, port, keys.certificate, keys.key)
            impatient = {"final_timeout": "1s", "dkim_timestamps": "86400"}
            client = exim(errand, settings=impatient, dkim_key=tmp_path / "dkim.pem")
            relay = await asyncio.to_thread(stack.enter_context, client)
            sink.program = Program(delay_seconds=2.5)
            await asyncio.to_thread(submit, relay.port, f"you@{PLAIN}")
            await holds(lambda: events(node, "retry.answered") and "Completed" in relay.log, "Exim has its answer")
            assert "SMTP timeout after" in relay.log
            (arrived,) = taken
            assert b"d=exim.lab.test" in arrived.content


def submit(port: int, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as client:
        client.sendmail("me@client.example", [recipient], CONTENT % 1)

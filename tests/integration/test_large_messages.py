"""More content at once than memory may hold: it comes over files, arrives as it was sent, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from tests.integration.sending import SENDER, next_hop
from tests.peers.mtad import MtadNode, policy_to, single

MESSAGES = 7
LIMITS = {"smtp": {"memory_octets_max": 1_000_000, "size_octets_max": 1_000_000}}
LINE = b"x" * 76 + b"\r\n"


def content_of(number: int) -> bytes:
    return b"From: <a@mtad.test>\r\nSubject: %d\r\n\r\n" % number + (b"%04d" % number + LINE) * 7000


def spilt_count(node: MtadNode) -> int:
    """Return how many files without a name the node has in its folder."""
    assert node.process is not None
    opened = Path(f"/proc/{node.process.pid}/fd").iterdir()
    return sum(os.readlink(each).startswith(f"{node.store}/spill/") for each in opened)


async def reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return line


async def begin(port: int, number: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a message up to its final dot."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await reply(reader)
    for command in ("EHLO client.test", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<r{number}@example.test>", "DATA"):
        writer.write(command.encode() + b"\r\n")
        await reply(reader)
    writer.write(content_of(number))
    await writer.drain()
    return reader, writer


async def test_what_memory_has_no_room_for_goes_over_files() -> None:
    with next_hop() as hop, single(policy_to(hop.port), LIMITS) as node:
        clients = [await begin(node.smtp_port, number) for number in range(MESSAGES)]
        async with asyncio.timeout(20):
            while spilt_count(node) < MESSAGES - 1:  # one has its place in memory
                await asyncio.sleep(0.05)
        assert os.listdir(node.store / "spill") == []
        for _, writer in clients:
            writer.write(b".\r\n")
        for reader, writer in clients:
            assert (await reply(reader)).startswith(b"250 2.0.0 Ok: delivered")
            writer.close()
        assert spilt_count(node) == 0
        arrived = {taken.recipients[0]: taken.content for taken in hop.taken}
        assert len(arrived) == MESSAGES
        for number in range(MESSAGES):
            assert arrived[f"r{number}@example.test"].endswith(content_of(number))

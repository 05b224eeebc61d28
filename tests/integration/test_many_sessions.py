"""Two thousand clients at once, each waiting for its reply while a slow next hop thinks."""

from __future__ import annotations

import asyncio
import resource

from mtad.lab.conversation import Program
from tests.integration.sending import next_hop
from tests.peers.mtad import DOMAIN, policy_to, single

SESSIONS = 2000
SETTINGS = {"delivery": {"connections_per_hop_max": 1000}}
MESSAGE = b"From: <a@mtad.test>\r\nSubject: many\r\n\r\n" + (b"x" * 76 + b"\r\n") * 52 + b".\r\n"
MEMORY_PER_SESSION_MAX = 200_000  # octets; one process of a classic server takes ten times that


async def _reply(reader: asyncio.StreamReader) -> bytes:
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return line


async def _wait(port: int, number: int, is_sent: asyncio.Semaphore) -> bytes:
    """Send a message up to its final dot, say so, and return the reply."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    await _reply(reader)
    for command in (f"EHLO c{number}.test", f"MAIL FROM:<a@{DOMAIN}>", f"RCPT TO:<r{number}@example.test>", "DATA"):
        writer.write(command.encode() + b"\r\n")
        await _reply(reader)
    writer.write(MESSAGE)
    await writer.drain()
    is_sent.release()
    answer = await _reply(reader)
    writer.close()
    return answer


async def test_two_thousand_sessions_wait_and_all_are_answered() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
    try:
        with next_hop() as hop, single(policy_to(hop.port), SETTINGS) as node:
            hop.sink.program = Program(delay_seconds=4)
            before = node.memory_octets()
            is_sent = asyncio.Semaphore(0)
            waiting = [asyncio.create_task(_wait(node.smtp_port, number, is_sent)) for number in range(SESSIONS)]
            for _ in range(SESSIONS):
                await is_sent.acquire()
            held = sum(not task.done() for task in waiting)
            each = (node.memory_octets() - before) / SESSIONS
            answers = await asyncio.gather(*waiting)
            print(f"{held} sessions held at once; {each / 1000:.1f} kB each")
            assert held > SESSIONS * 0.9
            assert {answer[:3] for answer in answers} == {b"250"}
            assert sum(b"delivered" in answer for answer in answers) == SESSIONS
            assert len(hop.taken) == SESSIONS
            assert each < MEMORY_PER_SESSION_MAX
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

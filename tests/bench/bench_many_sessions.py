"""Ten thousand sessions held at once by a real node: half a command each, then a message each that waits for its reply.

    python -m tests.bench.bench_many_sessions [--sessions 10000] [--octets 4096] [--workers 2]

The node has the limits that it has by default. Each message goes through to one of twenty next hops (addresses of
loopback), which take it and keep their reply back until all have come: every session then holds a connection of its
own to a next hop. Memory is the proportional set of all the node's processes, against that of the node at rest. It
fails when a session is refused, or not answered with 250.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from mtad.startup import open_files
from tests.peers.mtad import DOMAIN, POLICY, MtadNode, single

HOPS_COUNT = 20
OPENING_MAX = 100  # clients that speak at the same time
REPLY_SECONDS_MAX = 300.0
SETTINGS = {"delivery": {"connections_per_hop_max": 1000, "deadline_seconds": 300}, "log": {"level": "info"}}


class Hop(asyncio.Protocol):
    """One connection to a next hop that keeps its last reply back."""

    def __init__(self, held: list[Hop]) -> None:
        self._held = held
        self._octets = b""
        self._is_data = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        transport.write(b"220 hop.test ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        self._octets += data
        end = b"\r\n.\r\n" if self._is_data else b"\r\n"
        while (found := self._octets.partition(end))[1]:
            self._octets = found[2]
            self._answer(found[0][:4].upper())
            end = b"\r\n.\r\n" if self._is_data else b"\r\n"

    def _answer(self, verb: bytes) -> None:
        if self._is_data:
            self._is_data = False
            self._held.append(self)
        else:
            self._is_data = verb == b"DATA"
            self._transport.write(b"354 go on\r\n" if self._is_data else b"250 hop.test\r\n")

    def release(self) -> None:
        """Give the last reply."""
        self._transport.write(b"250 2.0.0 Ok\r\n")


def address_of(hop: int) -> str:
    """Return the address of one of the next hops."""
    return f"127.0.1.{hop + 1}"


async def play_hops() -> None:
    """Say the port; at each line of input give all replies that are kept back."""
    loop = asyncio.get_running_loop()
    held: list[Hop] = []
    first = await loop.create_server(lambda: Hop(held), address_of(0), 0, backlog=4096)
    port = first.sockets[0].getsockname()[1]
    for hop in range(1, HOPS_COUNT):
        await loop.create_server(lambda: Hop(held), address_of(hop), port, backlog=4096)
    print(port, flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(len(held), flush=True)
        for one in held:
            one.release()
        held.clear()


@dataclass(slots=True)
class Hops:
    """The process of the next hops."""

    process: subprocess.Popen[str]
    port: int

    def release(self) -> int:
        """Let them answer; returns how many messages had come."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@contextmanager
def next_hops() -> Iterator[Hops]:
    """Run the next hops."""
    command = [sys.executable, "-m", "tests.bench.bench_many_sessions", "--play-hops"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield Hops(process, int(process.stdout.readline()))
        finally:
            process.kill()


def policy_to(port: int) -> str:
    """Return a policy that sends each domain to a next hop of its own."""
    routes = "".join(
        f'if envelope :domain "to" "d{hop}.test" '
        f'{{ route :host "{address_of(hop)}" :nomx :port {port} :tls "none" "smtp"; }}\n'
        for hop in range(HOPS_COUNT)
    )
    return POLICY % routes


def proportional_octets(node: MtadNode) -> int:
    """Return the memory of all the node's processes; what they share counts once."""
    assert node.process is not None
    children = Path(f"/proc/{node.process.pid}/task/{node.process.pid}/children").read_text().split()
    return sum(_proportional(pid) for pid in (str(node.process.pid), *children))


def _proportional(pid: str) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


async def reply(reader: asyncio.StreamReader) -> bytes:
    """Return the last line of a reply; b'' where the connection was closed."""
    while True:
        line = await reader.readline()
        if line[3:4] != b"-":
            return line


class Crowd:
    """Clients of one node."""

    def __init__(self, node: MtadNode, sessions_count: int) -> None:
        self._node = node
        self._sessions_count = sessions_count
        self._may_speak = asyncio.Semaphore(OPENING_MAX)
        self._at_rest_octets = proportional_octets(node)

    async def half_commands(self) -> float:
        """Have every client say half a command; return the memory of one."""
        sessions = await asyncio.gather(*(self._half() for _ in range(self._sessions_count)))
        await asyncio.sleep(1)
        each = self._octets_each()
        for writer in sessions:
            assert not writer.transport.is_closing()
            writer.transport.abort()
        await asyncio.sleep(2)
        return each

    def _octets_each(self) -> float:
        return (proportional_octets(self._node) - self._at_rest_octets) / self._sessions_count

    async def _half(self) -> asyncio.StreamWriter:
        async with self._may_speak:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._node.smtp_port)
            greeting = await reply(reader)
            assert greeting.startswith(b"220"), greeting
            writer.write(b"EHLO cli")
            return writer

    async def messages(self, content: bytes, hops: Hops) -> Waited:
        """Have every client send a message; let the next hops answer when all wait for their reply."""
        begun = time.monotonic()
        sent: asyncio.Queue[int] = asyncio.Queue()
        tasks = [asyncio.create_task(self._message(number, content, sent)) for number in range(self._sessions_count)]
        for _ in tasks:
            await sent.get()
        filled = time.monotonic()
        await asyncio.sleep(2)
        held = sum(not task.done() for task in tasks)
        octets_each = self._octets_each()
        released = time.monotonic()
        came = await asyncio.get_running_loop().run_in_executor(None, hops.release)
        answers = Counter(line[:3].decode() or "closed" for line in await asyncio.gather(*tasks))
        seconds = time.monotonic() - released
        return Waited(held, came, octets_each, filled - begun, seconds, answers)

    async def _message(self, number: int, content: bytes, sent: asyncio.Queue[int]) -> bytes:
        commands = (
            f"EHLO c{number}.test",
            f"MAIL FROM:<a@{DOMAIN}>",
            f"RCPT TO:<r@d{number % HOPS_COUNT}.test>",
            "DATA",
        )
        async with asyncio.timeout(REPLY_SECONDS_MAX):
            try:
                async with self._may_speak:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._node.smtp_port)
                    line = await reply(reader)
                    for command in commands:
                        if line[:1] not in (b"2", b"3"):
                            return line
                        writer.write(command.encode() + b"\r\n")
                        line = await reply(reader)
                    writer.write(content + b"\r\n.\r\n")
                    await writer.drain()
            finally:
                sent.put_nowait(number)
            line = await reply(reader)
            writer.close()
            return line


@dataclass(frozen=True, slots=True)
class Waited:
    """What came of a message in every session."""

    held_count: int
    at_hops_count: int
    octets_each: float
    fill_seconds: float
    answer_seconds: float
    answers: Counter[str]


async def bench(arguments: argparse.Namespace) -> int:
    """Measure, print; return the exit code."""
    count = arguments.sessions
    content = b"From: <a@mtad.test>\r\nSubject: many\r\n\r\n" + (b"x" * 76 + b"\r\n") * (arguments.octets // 78)
    settings = {**SETTINGS, "node": {"workers": arguments.workers}}
    with next_hops() as hops, single(policy_to(hops.port), settings) as node:
        crowd = Crowd(node, count)
        half = await crowd.half_commands()
        print(f"{count} sessions with half a command: {half / 1000:.1f} kB each", flush=True)
        waited = await crowd.messages(content, hops)
        print(
            f"{waited.held_count} sessions wait for the reply to {len(content)} octets, {waited.at_hops_count} of them "
            f"at their next hop: {waited.octets_each / 1000:.1f} kB each, all had sent in {waited.fill_seconds:.0f} s\n"
            f"all answered {waited.answer_seconds:.1f} s after the next hops: {dict(waited.answers)}",
            flush=True,
        )
        log = node.log.read_text(errors="replace")
        refused = log.count("event=session.too_many")
        through = log.count("result=delivered")
        print(f"refused: {refused}; delivered through: {through}")
        is_good = waited.held_count == count and waited.answers == {"250": count} and not refused and through == count
    return 0 if is_good else 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--play-hops", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    open_files.raise_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(play_hops() if arguments.play_hops else bench(arguments)))


if __name__ == "__main__":
    main()

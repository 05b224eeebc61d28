"""CPU of relaying: microseconds of this process for a message, to Postfix's smtp-sink in a process of its own.

    python -m tests.bench.relay_cost [--messages 5000] [--octets 4096] [--sessions 20] [--loop uvloop]

"kept" is `attempt` (MAIL, RCPT and DATA in one write), "through" asks at RCPT first, as a session does.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Collection

import uvloop

from mtad.delivery.client_events import Mail
from mtad.delivery.through import Delivery
from mtad.delivery.warrant import Warrant
from mtad.dns.resolver import Resolver
from mtad.mail.outcome import Result
from mtad.mail.route import Route, TlsLevel
from mtad.telemetry.events import CollectedEvents, Level, Value

RECIPIENT = "u@b.test"


class NoEvents(CollectedEvents):
    """Drops events: the cost of the log is not what is measured."""

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Drop one event."""


def content_of(octets: int) -> bytes:
    """Return a message of about this size."""
    header = b"From: a@a.test\r\nTo: u@b.test\r\nSubject: bench\r\nMessage-ID: <1@a.test>\r\n\r\n"
    line = b"The quick brown fox jumps over the lazy dog and the next one too.\r\n"
    return header + line * max(1, (octets - len(header)) // len(line))


async def measured(send: Callable[[], Awaitable[None]], messages: int, sessions: int) -> tuple[float, float]:
    """Return CPU and wall microseconds for a message."""
    left = messages

    async def session() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await send()

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(session() for _ in range(sessions)))
    return (time.process_time() - cpu) / messages * 1e6, (time.perf_counter() - wall) / messages * 1e6


async def run(port: int, messages: int, octets: int, sessions: int) -> None:
    """Measure both ways, three times, and print the best."""
    delivery = Delivery("us.test", Resolver((("127.0.0.1", 53),)), NoEvents(), wall_ms=lambda: 0)
    route = Route(hosts=("127.0.0.1",), port=port, tls=TlsLevel.NONE)
    content = content_of(octets)

    async def always(recipients: Collection[str]) -> bool:
        return True

    warrant = Warrant(always, asyncio.get_running_loop().create_future())

    async def kept() -> None:
        outcomes = await delivery.attempt(
            Mail("x@a.test"), {RECIPIENT: route}, content, requests={}, trace="b", warrant=warrant
        )
        assert outcomes[RECIPIENT].result is Result.DELIVERED, outcomes

    async def through() -> None:
        transaction = delivery.open(Mail("x@a.test"), trace="b")
        assert await transaction.recipient(RECIPIENT, route) is None
        finished = await transaction.finish(content, 20)
        assert finished.outcomes[RECIPIENT].result is Result.DELIVERED, finished

    for name, send in (("kept", kept), ("through", through)):
        rounds = [await measured(send, messages, sessions) for _ in range(4)][1:]
        cpu, wall = min(rounds)
        print(f"{name}: {len(content)} octets, {sessions} sessions: CPU {cpu:.0f} µs, {1e6 / wall:.0f} messages/s")
    await delivery.close()


def main() -> None:
    """Start the sink, measure, stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5000)
    parser.add_argument("--octets", type=int, default=4096)
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--loop", choices=("uvloop", "asyncio"), default="uvloop")
    asked = parser.parse_args()
    sink = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin")
    if sink is None:
        raise SystemExit("smtp-sink is missing (Debian: apt install postfix)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen([sink, "-u", "nobody", f"127.0.0.1:{port}", "100"]) as process:
        time.sleep(0.3)
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop if asked.loop == "uvloop" else None) as runner:
                runner.run(run(port, asked.messages, asked.octets, asked.sessions))
        finally:
            process.terminate()


if __name__ == "__main__":
    main()

"""Mail sent to real nodes by a client, and a next hop that takes it."""

from __future__ import annotations

import asyncio
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from mtad.lab.conversation import Taken
from mtad.lab.sink import Sink
from tests.peers.mtad import DOMAIN, MtadNode, policy_to

SENDER = f"a@{DOMAIN}"
HEADER = b"From: <a@mtad.test>\r\nSubject: fault\r\n"
QUEUE_ALL = policy_to(1, actions="queue;", retry=':intervals ["86400"]')


@dataclass(slots=True)
class NextHop:
    """A sink with a loop of its own."""

    sink: Sink
    port: int
    taken: list[Taken] = field(default_factory=list)


@contextmanager
def next_hop(port: int = 0) -> Iterator[NextHop]:
    """Run a sink on a port, or on any."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    taken: list[Taken] = []
    sink = Sink(taken.append)
    port = asyncio.run_coroutine_threadsafe(sink.listen(port=port), loop).result(10)
    try:
        yield NextHop(sink, port, taken)
    finally:
        asyncio.run_coroutine_threadsafe(sink.close(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def client_of(node: MtadNode) -> smtplib.SMTP:
    client = smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60)
    client.ehlo("client.test")
    return client


def send(node: MtadNode, body: bytes = b"x\r\n", recipient: str = "b@example.test") -> tuple[int, str]:
    """Send one message; return the last reply."""
    with client_of(node) as client:
        for code, text in (client.mail(SENDER), client.rcpt(recipient)):
            if code != 250:
                return code, text.decode()
        code, text = client.data(HEADER + b"\r\n" + body)
        return code, text.decode()


def queue_ids(node: MtadNode) -> set[str]:
    return {entry["queue_id"] for entry in node.queue()}

"""Messages for the queue, a queue of one node on a scratch disk, and a door that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from mtad.limits.ledger import Ledger
from mtad.mail.envelope import Client
from mtad.mail.queue_id import QueueIdSource
from mtad.spool.door import TERMINAL_RANK, Changes, Committed, QueuedMessage, RecipientState, Refused
from mtad.spool.local import LocalSpool, SpoolLimits
from mtad.telemetry.events import CollectedEvents
from replicator.node import Node
from replicator.settings import NodeSettings
from tests.fakes.waiting import until

START_MS = 1_700_000_000_000


class WallClock:
    """A wall clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.ms = START_MS

    def __call__(self) -> int:
        return self.ms

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.ms += round(seconds * 1000)


_IDS = QueueIdSource(3)


def new_queue_id() -> str:
    """Return an id that no other test has."""
    return _IDS.next(START_MS, 7)


def message(*recipients: str, reverse_path: str = "a@x.test", queue_id: str = "", due_ms: int = 0) -> QueuedMessage:
    """Return a message that is due at once."""
    return QueuedMessage(
        queue_id=queue_id or new_queue_id(),
        reverse_path=reverse_path,
        arrival_ms=START_MS,
        client=Client("192.0.2.1", 25, "client.test"),
        content=b"Received: x\r\nSubject: hello\r\n\r\nbody\r\n",
        recipients={recipient: RecipientState(due_ms=due_ms) for recipient in recipients or ("b@y.test",)},
    )


@asynccontextmanager
async def spooling(
    folder: Path, wall: WallClock, events: CollectedEvents, limits: SpoolLimits | None = None
) -> AsyncIterator[tuple[Node, LocalSpool]]:
    """Run a node without a peer, which owns its queue, and the spool over it."""
    settings = NodeSettings("group", 1, "one", folder / "queue", TERMINAL_RANK, map_octets=1 << 22)
    node = Node(settings, events)
    spool = LocalSpool(node, limits or SpoolLimits(), events, wall, Ledger(settings.node))
    await node.start()
    try:
        await until(lambda: node.is_owner)
        yield node, spool
    finally:
        await node.stop()


class FakeDoor:
    """Answers each commit from `answer`, when `may_answer` is set, and remembers what it was asked."""

    def __init__(self, answer: Committed | Refused | Exception) -> None:
        self.answer = answer
        self.commits: list[tuple[Changes, bool]] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        self.commits.append((changes, is_accepting))
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

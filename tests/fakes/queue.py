"""Messages for the queue, a queue of one node on a scratch disk, and a door that answers as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from mtad.mail.envelope import Client
from mtad.mail.memory import Memory
from mtad.mail.queue_id import QueueIdSource
from mtad.spool.door import TERMINAL_RANK, Changes, Committed, QueuedMessage, RecipientState, Refused
from mtad.spool.local import LocalSpool, SpoolLimits
from mtad.telemetry.events import CollectedEvents
from replicator.node import Node
from replicator.settings import NodeSettings

START_MS = 1_700_000_000_000
WAIT_SECONDS_MAX = 5.0


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


async def until(condition: object) -> None:
    """Wait until a function tells True."""
    assert callable(condition)
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not condition():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def spooling(
    folder: Path, wall: WallClock, events: CollectedEvents, limits: SpoolLimits | None = None
) -> AsyncIterator[tuple[Node, LocalSpool]]:
    """Run a node without a peer, which owns its queue, and the spool over it."""
    settings = NodeSettings("group", 1, "one", folder / "queue", TERMINAL_RANK, map_octets=1 << 22)
    node = Node(settings, events)
    spool = LocalSpool(node, limits or SpoolLimits(), events, wall)
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


class FakeMemories:
    """Remembers in a dictionary, and recalls at once: without what went on and has ended."""

    def __init__(self, *, may_remember: bool = True, can_tell: bool = True) -> None:
        self.may_remember = may_remember
        self.can_tell = can_tell
        self.kept: dict[bytes, list[Memory]] = {}
        self._hearers: list[Callable[[bytes, bool], None]] = []

    def fingerprints(self) -> Collection[bytes]:
        return self.kept.keys()

    @contextmanager
    def following(self, hear: Callable[[bytes, bool], None]) -> Iterator[None]:
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    def has(self, fingerprint: bytes) -> bool:
        return fingerprint in self.kept

    async def recall(self, fingerprint: bytes) -> tuple[Memory, ...] | None:
        if not self.can_tell:
            return None
        return tuple(self.kept.get(fingerprint, ()))

    async def remember(self, memory: Memory) -> bool:
        if self.may_remember:
            self.keep(memory)
        return self.may_remember

    def keep(self, memory: Memory) -> None:
        others = [one for one in self.kept.get(memory.fingerprint, ()) if one.queue_id != memory.queue_id]
        self.kept[memory.fingerprint] = [*others, *([memory] if memory.outcomes else [])]
        if not self.kept[memory.fingerprint]:
            del self.kept[memory.fingerprint]
        self._tell(memory.fingerprint)

    def forget(self, fingerprint: bytes) -> None:
        del self.kept[fingerprint]
        self._tell(fingerprint)

    @property
    def all(self) -> list[Memory]:
        return [memory for memories in self.kept.values() for memory in memories]

    def _tell(self, fingerprint: bytes) -> None:
        for hear in self._hearers:
            hear(fingerprint, fingerprint in self.kept)

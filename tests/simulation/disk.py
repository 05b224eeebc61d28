"""A machine's disk: the model store, and everything that takes time or fails when a real one writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from replicator.core.events import Commit, CommitFailed, Committed, Damaged, Image, ReadItem, ReadLog, ReadSnapshot
from replicator.core.values import Away, Dot, Item, Kind, Presence, Vector
from replicator.core.vectors import beyond
from tests.simulation.clock import MS, Chance, Violation
from tests.simulation.lives import Before
from tests.simulation.shelf import DiskStore

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

PIECE_ITEMS = 3
SLOWEST = 500 * MS


class Disk:
    """One transaction in flight; what comes meanwhile is the next one."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world = world
        self.clock = world.clock
        self.machine = machine
        self.number = 0  # of the store on it: another after it was destroyed or replaced
        self.slow_until = -SLOWEST - 1
        self.free_permille = 1000
        self._failures = 0
        self._queue: list[Commit] = []
        self._flight: list[Commit] = []
        self._is_failed = False
        self._backup: DiskStore | None = None
        self.log_records_max = world.bounds.log_records_max
        self._is_ahead = False  # of its vector: what came back from the peer, or went away, counts at a snapshot's end
        self.store = self._made()

    def _made(self) -> DiskStore:
        """Return an empty store."""
        self.number = self.clock.number()
        return self.world.shelf.new(self.machine.node, self.clock.chance.randbytes(8), self.log_records_max)

    def _replace(self, store: DiskStore) -> None:
        """Put another store in the place of what is there."""
        self.world.shelf.drop(self.store)
        self.store = store

    @property
    def items(self) -> Mapping[bytes, Item]:
        return self.store.items

    def in_order(self) -> list[Item]:
        """Return all items in the order of their keys, in which a process walks over them."""
        return [item for _, item in sorted(self.store.items.items())]

    @property
    def vector(self) -> Vector:
        return self.store.vector

    @property
    def is_ahead(self) -> bool:
        """Tell whether it may hold more than its vector covers: of a snapshot that has not ended, or from elsewhere."""
        return self._is_ahead or bool(beyond(self.store.beyond, self.store.vector))

    def holds(self, key: bytes) -> bool:
        """Tell whether an item is here, and is what was written."""
        return key in self.store.items and key not in self.store.rotten

    def is_readable(self, key: bytes) -> bool:
        """Read an item with its blob, as a delivery does: what is damaged is noticed, and nothing is read."""
        return self.store.read_item(ReadItem(0, key)).presence is Presence.HELD

    @property
    def away(self) -> Mapping[bytes, Away]:
        return self.store.away

    # --- as the process sees it ---------------------------------------------------------------------------

    def open(self) -> None:
        self._queue.clear()
        self._flight = []
        self._is_failed = False
        self.store.reopen()

    def image(self) -> Image:
        return self.store.image()

    def append(self, commit: Commit) -> None:
        self.world.truth.asked_to_commit(self.machine, commit)
        self._queue.append(commit)
        if not self._flight and not self._is_failed:
            self._begin()

    def _begin(self) -> None:
        clock = self.clock
        self._flight, self._queue = self._queue, []
        self.store.begin(*self._flight)
        latency = clock.between(3 * MS // 10, 2 * MS)
        if clock.now < self.slow_until:
            latency += clock.between(80 * MS, SLOWEST)
        clock.after(latency, self._written, self.machine.pid, self._flight)

    def _written(self, pid: int, flight: list[Commit]) -> None:
        if pid != self.machine.pid or flight is not self._flight:
            return
        machine = self.machine
        self._flight = []
        why = self._failure(flight)
        if why:
            self.clock.counts[f"commit failure: {why}"] += 1
            self.store.lose()
            self._is_failed = True
            machine.take(CommitFailed(flight[0].ticket, why))
            return
        machine.take(self._complete(flight))
        if self._queue and not self._flight and pid == machine.pid:
            self._begin()

    def _failure(self, flight: list[Commit]) -> str:
        """Return why a transaction is not kept. A disk without room keeps the endings of what it has, nothing new."""
        if self._failures:
            self._failures -= 1
            return "failed"
        if self.free_permille == 0:
            for commit in flight:
                if commit.items or any(record.kind is Kind.PUT for _, record in commit.records):
                    return "full"
        return ""

    def _complete(self, flight: list[Commit]) -> Committed:
        """Make a transaction durable, and let the checker see what it did."""
        store = self.store
        before, away = dict(store.vector), set(self.away)
        if any(commit.stretch is not None for commit in flight):
            was = dict(store.items)
            touched = set(was)
            self.clock.counts["snapshot merged"] += any(commit.vector is not None for commit in flight)
        else:
            touched = set()
            was = {}
        for commit in flight:
            for _, record in commit.records:
                touched.add(record.key)
            for item in commit.items:
                touched.add(item.key)
            for damage in commit.mend:
                if damage.table in ("item", "blob"):
                    touched.add(damage.key)
        if not was:
            items = store.items
            was = {key: items[key] for key in touched if key in items}
        if any(commit.mend or (commit.items and not commit.is_snapshot) for commit in flight):
            self._is_ahead = True
        told = store.complete()
        if isinstance(told, CommitFailed):
            raise Violation("S9", f"node {self.machine.node}: the merge refuses what the member asks for: {told.why}")
        if any(commit.vector is not None for commit in flight):
            self._is_ahead = False
        if told.away:
            self._is_ahead = True
        for commit in flight:
            for item in commit.items:
                if item.kind is Kind.VOID and item.key in store.items:
                    self.world.truth.lives[item.key].untold.add(self.number)
        touched.update(moved.key for moved in told.away)
        self.world.truth.became_durable(self.machine, Before(before, was, away), touched)
        return told

    def read_log(self, ask: ReadLog) -> None:
        self.clock.counts["log catch-up"] += 1
        self.machine.later(self._read_time(), self._send_log, ask)

    def _read_time(self) -> int:
        """Return how long a read takes: now and then pages have to come from the disk."""
        return self.clock.between(MS // 10, 80 * MS if self.clock.happens(0.3) else MS)

    def _send_log(self, ask: ReadLog) -> None:
        told = self.store.read_log(ask)
        if told.records is None:
            self.clock.counts["log no longer reaches back"] += 1
        self.clock.counts["held back from a site"] += bool(told.held)
        self.machine.take(told)

    def read_snapshot(self, ask: ReadSnapshot) -> None:
        self.clock.counts["snapshot read"] += 1
        delay = 0
        for piece in self.store.read_snapshot(ask, PIECE_ITEMS):
            delay += self._read_time()
            self.machine.later(delay, self.machine.take, piece)

    def read_item(self, ask: ReadItem) -> None:
        self.machine.later(self._read_time(), self._send_item, ask)

    def _send_item(self, ask: ReadItem) -> None:
        self.machine.take(self.store.read_item(ask))

    def tell_damage(self) -> None:
        """Tell the member what reads have found damaged since it was last told."""
        found, self.store.found = self.store.found, []
        if found:
            self.machine.take(Damaged(tuple(found)))

    # --- faults -------------------------------------------------------------------------------------------

    def crash(self) -> None:
        """The process is gone: what was in flight became durable or did not."""
        flight, self._flight = self._flight, []
        self._queue.clear()
        if flight:
            if self.clock.happens(0.5):
                self.clock.counts["crash with the commit durable"] += 1
                self._complete(flight)
            else:
                self.clock.counts["crash with the commit lost"] += 1
                self.store.lose()

    def fail_next(self) -> None:
        self._failures = 1

    def repair(self) -> None:
        self._failures = 0
        self.slow_until = min(self.slow_until, self.clock.now)
        self.free_permille = 1000

    def scrub(self) -> None:
        self.store.scrub()

    def was_slow_since(self, when: int) -> bool:
        """Tell whether what was asked of the disk at some time may have waited for what it wrote slowly."""
        return self.slow_until + SLOWEST >= when

    def rot(self, chance: Chance) -> None:
        """Flip a bit: in an item, in its blob, or in a record of the log."""
        table = chance.choice(("item", "blob", "log"))
        places = (
            sorted(self.store.log_dots()) if table == "log" else [key for key in sorted(self.items) if self.holds(key)]
        )
        if not places:
            return
        self.clock.counts[f"bit flipped: {table}"] += 1
        place = chance.choice(places)
        self.clock.note(self.machine.node, "a bit is flipped", table, place)
        if isinstance(place, Dot):
            self.store.rot_log(place)
        else:
            self.world.truth.damaging(self.machine, place)
            self.store.rot(place, table)

    @property
    def has_backup(self) -> bool:
        return self._backup is not None

    def back_up(self) -> None:
        if self._backup is not None:
            self.world.shelf.drop(self._backup)
        self._backup = self.world.shelf.copy(self.store)

    def wipe(self) -> None:
        """Put an empty disk in; the process does not live."""
        self.clock.counts["disk wiped"] += 1
        if any(self.world.network.is_cut):
            self.clock.counts["wiped during a partition"] += 1
        self.world.truth.destroying(self.machine, {})
        self._is_ahead = False
        self._replace(self._made())

    def restore(self) -> None:
        """Put the backup back; the process does not live."""
        if self._backup is not None:
            self.clock.counts["old backup restored"] += 1
            self.world.truth.destroying(self.machine, self._backup.items)
            self.number = self.clock.number()
            self._replace(self.world.shelf.copy(self._backup))
            self._is_ahead = True  # perhaps
            self.world.truth.restored(self.machine)

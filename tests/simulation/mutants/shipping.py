"""Bugs in what one member sends and the other takes."""

from __future__ import annotations

from typing import Any

from replicator.core import merge, peer
from replicator.core.events import Effect, Image, ReadSnapshot, Settings, SnapshotRead
from replicator.core.journal import Journal
from replicator.core.messages import Hello, Records
from replicator.core.peer import Peer
from replicator.core.receiving import Incoming
from replicator.core.values import Branch, Dot, Record, Vector
from replicator.core.vectors import raise_to
from tests.simulation.clock import MS
from tests.simulation.disk import PIECE_ITEMS, Disk
from tests.simulation.mutants.planting import Mutant, Planting


def _no_incarnation(planting: Planting) -> None:
    def init(self: Journal, own: Branch, image: Image) -> None:
        was(self, own, image)
        self.seq = self.own_durable = image.vector.get(own, 0)

    was = planting.replace(Journal, "__init__", init)
    planting.replace(Branch, "__new__", lambda cls, node, incarnation: made(cls, (node, 0)))
    made = tuple.__new__


def _gap_accepted(planting: Planting) -> None:
    def apply(tables: merge.Tables, dot: Dot, record: Record, *rest: Any) -> merge.Applied:
        if dot.seq > tables.position(dot.branch) + 1:
            tables.set_position(dot.branch, dot.seq - 1)
        applied: merge.Applied = was(tables, dot, record, *rest)
        return applied

    def records(self: Incoming, message: Records, out: list[Effect]) -> str:
        have = self._journal.have
        if message.first_seq > have.get(message.branch, 0) + 1:
            have[message.branch] = message.first_seq - 1
        fault: str = taken(self, message, out)
        return fault

    was = planting.replace(merge, "apply", apply)
    taken = planting.replace(Incoming, "records", records)


def _vector_of_old_store(planting: Planting) -> None:
    def replace(self: Peer, hello: Hello, own: Branch) -> None:
        known = self.durable
        was(self, hello, own)
        raise_to(self.durable, known)
        self.own_durable = self.durable.get(own, 0)

    was = planting.replace(Peer, "replace", replace)


def _vector_newer_than_content(planting: Planting) -> None:
    def read_snapshot(self: Disk, ask: ReadSnapshot) -> None:
        first, *others = self.store.read_snapshot(ask, PIECE_ITEMS)
        self.machine.later(self.clock.between(MS, 4 * MS), send, self, first, others)

    def send(disk: Disk, first: SnapshotRead, others: list[SnapshotRead]) -> None:
        for piece in (first._replace(vector=dict(disk.vector)), *others):
            disk.machine.take(piece)

    planting.replace(Disk, "read_snapshot", read_snapshot)


def _echo(planting: Planting) -> None:
    def take(self: Journal, branch: Branch, first_seq: int, records: tuple[Record, ...], out: list[Effect]) -> None:
        was(self, branch, first_seq, records, out)
        self.write(records, out)

    was = planting.replace(Journal, "take", take)


def _cut_by_have(planting: Planting) -> None:
    def cut_log(self: Journal, floors: Vector, cut: Vector | None, out: list[Effect]) -> None:
        was(self, dict(self.durable), None, out)

    was = planting.replace(Journal, "cut_log", cut_log)


def _untold_refused(planting: Planting) -> None:
    def other_rules(settings: Settings, hello: Hello) -> str:
        return "" if hello.mode == settings.authority else f"authority: came {hello.mode!r}"

    planting.replace(peer, "_other_rules", other_rules)


MUTANTS = (
    Mutant("no-incarnation", 5, "seq goes on from the last durable one", ("S9", "L3", "crash"), 80, _no_incarnation),
    Mutant("gap-accepted", 6, "the receiver takes records after a gap", ("S9",), 200, _gap_accepted),
    Mutant(
        "old-vector-kept",
        7,
        "the peer's vector outlives its disk",
        ("S1", "S15", "L3", "S2"),
        100,
        _vector_of_old_store,
    ),
    Mutant(
        "snapshot-vector-newer",
        10,
        "a snapshot's vector is newer than its content",
        ("S9", "S5"),
        600,
        _vector_newer_than_content,
    ),
    Mutant("echo", 30, "replicated records are logged as own", ("S9",), 5, _echo),
    Mutant(
        "log-cut-unseen",
        31,
        "the log is cut by what we have, not by what the peer has durable",
        ("S15",),
        50,
        _cut_by_have,
    ),
    Mutant("untold-refused", 118, "what an older member cannot say is a no", ("L3", "S2"), 60, _untold_refused),
)

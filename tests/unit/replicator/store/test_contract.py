"""The store on disk and the simulator's model answer alike, whatever sequence of commits they are given."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Protocol

import pytest

from replicator.core import merge
from replicator.core.events import Commit, CommitFailed, Committed, Image, LogRead, ReadLog, ReadSnapshot, Stretch
from replicator.core.messages import SnapshotItem
from replicator.core.values import Authority, Branch, Dot, Flags, Item, Kind, Orphan, PartValue, Record, Vector
from replicator.core.vectors import covers
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from tests.fakes.model_store import ModelStore
from tests.simulation.lmdb_store import LmdbStore

TERMINAL_RANK = 2
BRANCHES = (Branch(0, 11), Branch(0, 12), Branch(1, 7))
KEYS_COUNT = 8
STEPS = 100
SEEDS = range(20)

Contents = list[tuple[Item, bytes | None]]


class Subject(Protocol):
    """What both can do."""

    def commit(self, *commits: Commit) -> Committed | CommitFailed: ...
    def image(self) -> Image: ...
    def read_log(self, ask: ReadLog) -> LogRead: ...
    def contents(self, known: Vector) -> tuple[Contents, set[tuple[Dot, bool]]]: ...


class OnDisk:
    """The LMDB store."""

    def __init__(self, path: Path) -> None:
        self.store = Store(StoreSettings(path, 0, TERMINAL_RANK, map_octets=1 << 20, map_octets_max=64 << 20))

    def commit(self, *commits: Commit) -> Committed | CommitFailed:
        try:
            done = self.store.change(commits)
        except (merge.SequenceGapError, merge.KeyTakenError, merge.BlobMissingError) as error:
            return CommitFailed(commits[0].ticket, f"{type(error).__name__}: {error}")
        return Committed(commits[-1].ticket, done.finished)

    def image(self) -> Image:
        return self.store.image()

    def read_log(self, ask: ReadLog) -> LogRead:
        return LogRead(
            *ask[:3], *self.store.read_log(ask.branch, ask.first_seq, ask.octets_max, is_holding=ask.is_holding)
        )

    def contents(self, known: Vector) -> tuple[Contents, set[tuple[Dot, bool]]]:
        snapshot = self.store.snapshot(known)
        found: Contents = []
        orphans: list[Orphan] = []
        vectors = []
        while True:
            piece = snapshot.read(octets_max=6_000, items_max=2)
            found += piece.items
            orphans += piece.orphans
            vectors.append(piece.vector)
            if piece.is_last:
                break
        snapshot.close()
        assert vectors[0] == self.store.vector()
        assert not any(vectors[1:])
        check_order(found, known)
        return found, {(orphan.put, orphan.is_gone) for orphan in orphans}


class InMemory:
    """The simulator's model."""

    def __init__(self) -> None:
        self.store = ModelStore(b"", TERMINAL_RANK)

    def commit(self, *commits: Commit) -> Committed | CommitFailed:
        self.store.begin(*commits)
        return self.store.complete()

    def image(self) -> Image:
        return self.store.image()

    def read_log(self, ask: ReadLog) -> LogRead:
        return self.store.read_log(ask)

    def contents(self, known: Vector) -> tuple[Contents, set[tuple[Dot, bool]]]:
        pieces = self.store.read_snapshot(ReadSnapshot(1, known))
        found = [entry for piece in pieces for entry in piece.items]
        check_order(found, known)
        orphans = {(orphan.put, orphan.is_gone) for piece in pieces for orphan in piece.orphans}
        return sorted(found, key=lambda entry: (covers(known, entry[0].put), entry[0].key)), orphans


def check_order(found: Contents, known: Vector) -> None:
    """What the receiver lacks comes first, and comes whole; of the rest it needs no blob."""
    are_known = [covers(known, item.put) for item, _ in found]
    assert are_known == sorted(are_known)
    assert [blob is None for _, blob in found] == are_known


class Story:
    """Makes commits that a member could ask for: several branches, overtaking records, snapshots, gaps, cuts."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._next: Counter[Branch] = Counter({branch: 1 for branch in BRANCHES})
        self._puts: dict[bytes, Dot] = {}
        self._ticket = 0
        self._hlc = 0
        self.reached: Counter[str] = Counter()

    def _value(self) -> PartValue:
        self._hlc += 1
        return PartValue(self._chance.choice((0, 0, 1, 1, 2, 3)), 0, self._hlc, self._chance.randrange(5_000), b"d")

    def _parts(self) -> tuple[tuple[bytes, PartValue], ...]:
        names = self._chance.sample((b"a", b"b", b"c"), self._chance.randint(1, 2))
        return tuple((name, self._value()) for name in names)

    def _blob(self) -> bytes:
        return self._chance.randbytes(self._chance.choice((0, 1, 900, 5_000)))

    def _flags(self) -> Flags:
        return Flags(self._hlc, b"held") if self._chance.random() < 0.3 else Flags(0, b"")

    def _record(self) -> tuple[Dot, Record]:
        """Return the next record of some branch; its PUT may be of a branch that is not as far yet."""
        branch = self._chance.choice(BRANCHES)
        seq = self._next[branch]
        self._next[branch] += 1
        dot = Dot(branch, seq)
        kind = self._chance.choice(
            (Kind.PUT, Kind.PUT, Kind.PART, Kind.PART, Kind.FLAGS, Kind.DONE, Kind.ABORT, Kind.VOID)
        )
        self.reached[kind.name] += 1
        if kind in (Kind.PUT, Kind.VOID) or not self._puts:
            key = b"%d-%d-%d" % (branch.node, branch.incarnation, seq)
            self._puts[key] = dot
            if kind is not Kind.PUT:
                return dot, Record(Kind.VOID, key)
            return dot, Record(kind, key, None, self._parts(), self._flags(), b"meta", self._blob())
        if self._chance.random() < 0.2:  # of a PUT that is still to come
            ahead = self._chance.choice(BRANCHES)
            put = Dot(ahead, self._next[ahead] + self._chance.randint(0, 2))
            key = b"%d-%d-%d" % (*put.branch, put.seq)
            self.reached["ahead"] += 1
        else:
            key = self._chance.choice(sorted(self._puts))
            put = self._puts[key]
        parts = self._parts() if kind is Kind.PART else ()
        return dot, Record(kind, key, put, parts, self._flags() if kind is Kind.FLAGS else Flags(0, b""))

    def commit(self, image: Image) -> Commit:
        """Return the next commit."""
        self._ticket += 1
        draw = self._chance.random()
        if draw < 0.08 and image.vector:
            return self._end_of_snapshot(image)
        if draw < 0.16:
            return self._gap(image)
        if draw < 0.24 and image.vector:
            self.reached["floors"] += 1
            floors = {branch: self._chance.randint(0, seq) for branch, seq in image.vector.items()}
            return Commit(self._ticket, floors=floors)
        if draw < 0.3:
            self.reached["authority"] += 1
            return Commit(self._ticket, authority=Authority(image.authority.epoch + 1, 1))
        if draw < 0.45:
            return self._items(image)
        records = tuple(self._record() for _ in range(self._chance.randint(1, 4)))
        return Commit(self._ticket, records=records, passed=self._stretch(image) if draw > 0.9 else None)

    def _gap(self, image: Image) -> Commit:
        self.reached["gap"] += 1
        branch = self._chance.choice(BRANCHES)
        dot = Dot(branch, image.vector.get(branch, 0) + 2)
        return Commit(self._ticket, records=((dot, Record(Kind.VOID, b"never")),))

    def _items(self, image: Image) -> Commit:
        """Return things of a peer's snapshot."""
        self.reached["items"] += 1
        items = []
        for _ in range(self._chance.randint(1, 3)):
            branch = self._chance.choice(BRANCHES)
            put = Dot(branch, self._next[branch] + self._chance.randint(-3, 3))
            if put.seq < 1:
                continue
            key = b"%d-%d-%d" % (*put.branch, put.seq)
            kind = self._chance.choice((Kind.PUT, Kind.PUT, Kind.PART, Kind.DONE))
            blob = self._blob() if self._chance.random() < 0.9 else None
            items.append(SnapshotItem(key, put, self._parts(), self._flags(), b"meta", blob, kind))
        if self._chance.random() < 0.3:
            return Commit(self._ticket, items=tuple(items))
        named = tuple(item._replace(kind=Kind.VOID) if self._chance.random() < 0.1 else item for item in items)
        begin = self._vector(image) if self._chance.random() < 0.3 else None
        return Commit(self._ticket, begin=begin, items=named, is_snapshot=True, stretch=self._stretch(image))

    def _vector(self, image: Image) -> Vector:
        return {branch: max(1, seq + self._chance.randint(-2, 2)) for branch, seq in image.vector.items()}

    def _stretch(self, image: Image) -> Stretch | None:
        """Return a stretch of keys of which a snapshot says what is left, or none."""
        ends = sorted(self._chance.sample([b"", *sorted(self._puts)], 2)) if self._puts else [b"", b""]
        self.reached["stretch"] += 1
        return self._chance.choice((None, Stretch(self._vector(image), ends[0], ends[1])))

    def _end_of_snapshot(self, image: Image) -> Commit:
        self.reached["snapshot"] += 1
        vector = self._vector(image)
        for branch, seq in vector.items():
            self._next[branch] = max(self._next[branch], seq + 1)
        held = self._chance.sample(sorted(self._puts), len(self._puts) // 2)
        items = tuple(SnapshotItem(key, self._puts[key], (), Flags(0, b""), b"", None, Kind.VOID) for key in held)
        everything = Stretch(vector, b"", None)
        return Commit(self._ticket, items=items, is_snapshot=True, stretch=everything, vector=vector)


def check_alike(model: Subject, disk: Subject, story: Story) -> None:
    """Compare everything that can be read."""
    expected = model.image()
    assert disk.image()._replace(store_id=b"", finished=()) == expected._replace(finished=())
    assert sorted(disk.image().finished) == sorted(expected.finished)
    for known in ({}, expected.vector, {BRANCHES[0]: 3}, {BRANCHES[1]: 9}):
        assert disk.contents(known) == model.contents(known)
    for branch in BRANCHES:
        for first_seq in range(1, expected.vector.get(branch, 0) + 2):
            ask = ReadLog(1, branch, first_seq, 3_000)
            ours, theirs = disk.read_log(ask), model.read_log(ask)
            assert (ours.records is None) == (theirs.records is None)
            if ours.records and theirs.records:  # how many go into one piece is each one's own
                both = min(len(ours.records), len(theirs.records))
                assert ours.records[:both] == theirs.records[:both]
            story.reached["log cut" if ours.records is None else "log read"] += 1


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_story_has_the_same_end(seed: int, tmp_path: Path) -> None:
    story = Story(seed)
    model, disk = InMemory(), OnDisk(tmp_path / "store")
    for step in range(STEPS):
        image = model.image()
        commits = [story.commit(image) for _ in range(1 + step % 2)]
        expected = model.commit(*commits)
        came = disk.commit(*commits)
        assert came == expected
        if isinstance(came, CommitFailed):  # the member that asked for it is gone; its records never were
            story.reached["failed"] += 1
            for branch in BRANCHES:
                story._next[branch] = model.image().vector.get(branch, 0) + 1
    check_alike(model, disk, story)
    wanted = {
        "gap",
        "failed",
        "items",
        "stretch",
        "snapshot",
        "floors",
        "ahead",
        "log read",
        *(kind.name for kind in Kind),
    }
    assert wanted <= set(story.reached), f"the story never reached {wanted - set(story.reached)}"
    check_totals(disk.store)
    disk.store.close()


def check_totals(store: Store) -> None:
    """The indexes agree with the items."""
    items = store.items(b"", 1_000)
    open_parts = {
        (value.due, item.key, part)
        for item in items
        for part, value in item.parts.items()
        if value.rank < TERMINAL_RANK
    }
    due = store.due(1 << 40, 1_000)
    assert {tuple(entry) for entry in due} == open_parts
    assert [entry.due_ms for entry in due] == sorted(entry.due_ms for entry in due)
    totals = store.totals()
    assert (totals.items, totals.parts) == (len(items), len(open_parts))
    assert totals.octets == sum(item.size for item in items)
    assert totals.oldest_key == (items[0].key if items else b"")


@pytest.mark.parametrize("seed", range(8))
def test_damage_is_told_alike(seed: int, tmp_path: Path) -> None:
    """Everything that a read may come upon: the same answers, and the same that is found, in the same order."""
    story, chance = Story(seed), random.Random(seed)
    model = ModelStore(b"store", TERMINAL_RANK)
    settings = StoreSettings(tmp_path / "store", 0, TERMINAL_RANK, map_octets=1 << 20, map_octets_max=64 << 20)
    disk = LmdbStore(settings, model.log_records_max)
    disk.name(model.store_id)
    for _ in range(STEPS):
        commit = story.commit(model.image())
        if model.found:
            commit = commit._replace(mend=tuple(model.found))
            model.found, disk.found = [], []
        model.begin(commit)
        disk.begin(commit)
        expected = model.complete()
        assert disk.complete() == expected
        if isinstance(expected, CommitFailed):
            for branch in BRANCHES:
                story._next[branch] = model.vector.get(branch, 0) + 1
        rot(model, disk, chance)
        story.reached["away"] += isinstance(expected, Committed) and bool(expected.away)
        known = chance.choice(({}, model.vector))
        assert disk.read_snapshot(ReadSnapshot(1, known)) == model.read_snapshot(ReadSnapshot(1, known))
        for branch, seq in model.vector.items():
            ask = ReadLog(1, branch, chance.randint(1, seq), 1 << 20)
            assert disk.read_log(ask) == model.read_log(ask)
        if chance.random() < 0.2:
            model.scrub()
            disk.scrub()
        assert disk.found == model.found
        assert disk.image() == model.image()
    disk.close()
    assert story.reached["away"] > 2


def rot(model: ModelStore, disk: LmdbStore, chance: random.Random) -> None:
    """Flip a bit of the same value in both."""
    items = [key for key, item in sorted(model.items.items()) if item.size and key not in model.rotten]
    table = chance.choice(("item", "blob", "log", ""))
    if table == "log" and model.log:
        dot = chance.choice(model.log_dots())
        model.rot_log(dot)
        disk.rot_log(dot)
    elif table in ("item", "blob") and items:
        key = chance.choice(items)
        model.rot(key, table)
        disk.rot(key, table)

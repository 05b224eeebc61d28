"""The merge as an algebra: whatever order, whatever is shipped, the members agree and forget nothing.

A machine of three stores does local work, ships any prefix of any branch from any store to any other, and merges
snapshots piece by piece, also broken off. Ground truth is kept beside them: which items were ever put, and which were
ended by whoever held them. The same machine with a planted bug has to fail; that is tested too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from replicator.core import merge
from replicator.core.events import Commit, ReadLog, ReadSnapshot, Stretch
from replicator.core.messages import SnapshotItem
from replicator.core.sending import item_message, orphan_message
from replicator.core.values import NO_FLAGS, Branch, Dot, Flags, Item, Kind, PartValue, Record, Vector
from replicator.core.vectors import beyond, covers
from tests.fakes.model_store import ModelStore

TERMINAL = 2
STORES = 3
OWN_RECORDS_MAX = 20

part_values = st.builds(
    PartValue, st.integers(0, 4), st.integers(0, 3), st.integers(0, 3), st.integers(0, 3), st.binary(max_size=1)
)
parts = st.dictionaries(st.sampled_from([b"p", b"q", b"r"]), part_values)
flags = st.builds(Flags, st.integers(0, 3), st.binary(max_size=1))


@given(parts, parts, parts)
def test_joining_parts_is_commutative_associative_and_idempotent(
    a: merge.Parts, b: merge.Parts, c: merge.Parts
) -> None:
    join = merge.join_parts
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a
    assert join(join(a, b), b) == join(a, b)


@given(flags, flags, flags)
def test_joining_flags_is_commutative_associative_and_idempotent(a: Flags, b: Flags, c: Flags) -> None:
    join = merge.join_flags
    assert join(a, b) == join(b, a)
    assert join(join(a, b), c) == join(a, join(b, c))
    assert join(a, a) == a


@given(parts, parts)
def test_no_part_ever_falls(a: merge.Parts, b: merge.Parts) -> None:
    joined = merge.join_parts(a, b)
    assert all(joined[name] >= value for values in (a, b) for name, value in values.items())


class Coming(NamedTuple):
    """What has not arrived of a snapshot."""

    receiver: int
    items: list[SnapshotItem]
    vector: Vector
    after: bytes  # the last key that came in their order


class Stores(RuleBasedStateMachine):
    """Three members without time, links or roles: only what each holds."""

    seen: dict[str, int]  # what the search reached, over all examples; set by the test

    def __init__(self) -> None:
        super().__init__()
        self.stores = [ModelStore(b"%d" % node, TERMINAL) for node in range(STORES)]
        self.branches = [Branch(node, 0) for node in range(STORES)]
        self.items = 0
        self.hlc = 0
        self.puts: dict[Dot, bytes] = {}
        self.ended: set[Dot] = set()
        self.ranks: dict[tuple[int, Dot], PartValue] = {}  # the last seen, by store
        self.snapshots: list[Coming] = []
        self.passed: dict[int, Stretch] = {}  # by receiver, the keys that the snapshot which came last has passed

    # --- what a member does ---------------------------------------------------------------------------------

    def commit(self, store: ModelStore, commit: Commit) -> None:
        store.begin(commit)
        done = store.complete()
        assert type(done).__name__ == "Committed", done

    def write(self, node: int, record: Record) -> Dot:
        """Write a record as that node, in its branch."""
        branch = self.branches[node]
        dot = Dot(branch, self.stores[node].vector.get(branch, 0) + 1)
        self.commit(self.stores[node], Commit(1, ((dot, record),)))
        return dot

    def some_item(self, node: int, number: int) -> Item | None:
        held = list(self.stores[node].items.values())
        return held[number % len(held)] if held else None

    @rule(node=st.integers(0, STORES - 1))
    def put(self, node: int) -> None:
        self.items += 1
        key = b"item %d" % self.items
        waiting = PartValue(0, 0, 0, 0, b"")
        dot = self.write(node, Record(Kind.PUT, key, parts=((b"p", waiting),), meta=key, blob=key))
        self.puts[dot] = key

    @rule(node=st.integers(0, STORES - 1), number=st.integers(0, 9), rank=st.integers(0, 3))
    def rise(self, node: int, number: int, rank: int) -> None:
        item = self.some_item(node, number)
        if item is not None:
            self.hlc += 1
            value = PartValue(rank, 1, self.hlc, 0, b"")
            self.write(node, Record(Kind.PART, item.key, item.put, ((b"p", value),)))

    @rule(node=st.integers(0, STORES - 1), number=st.integers(0, 9), data=st.binary(max_size=1))
    def flag(self, node: int, number: int, data: bytes) -> None:
        item = self.some_item(node, number)
        if item is not None:
            self.hlc += 1
            self.write(node, Record(Kind.FLAGS, item.key, item.put, flags=Flags(self.hlc, data)))

    @rule(node=st.integers(0, STORES - 1), number=st.integers(0, 9), kind=st.sampled_from([Kind.DONE, Kind.ABORT]))
    def end(self, node: int, number: int, kind: Kind) -> None:
        item = self.some_item(node, number)
        if item is not None:
            self.write(node, Record(kind, item.key, item.put))
            self.ended.add(item.put)

    @rule(node=st.integers(0, STORES - 1))
    def restart(self, node: int) -> None:
        branch = self.branches[node]
        self.branches[node] = Branch(node, branch.incarnation + 1)

    # --- what goes from one to another ----------------------------------------------------------------------

    @rule(
        sender=st.integers(0, STORES - 1),
        receiver=st.integers(0, STORES - 1),
        number=st.integers(0, 5),
        count=st.integers(1, 4),
    )
    def ship(self, sender: int, receiver: int, number: int, count: int) -> None:
        """Ship some records of one branch that the receiver lacks."""
        source, target = self.stores[sender], self.stores[receiver]
        lacking = list(beyond(source.vector, target.vector))
        if not lacking:
            return
        self.ship_branch(source, receiver, lacking[number % len(lacking)], count)

    @rule(sender=st.integers(0, STORES - 1), receiver=st.integers(0, STORES - 1))
    def ship_own(self, sender: int, receiver: int) -> None:
        """Ship what a member wrote itself, often before that on which it relies."""
        source, target, branch = self.stores[sender], self.stores[receiver], self.branches[sender]
        if branch in beyond(source.vector, target.vector):
            self.ship_branch(source, receiver, branch, OWN_RECORDS_MAX)

    def ship_branch(self, source: ModelStore, receiver: int, branch: Branch, count: int) -> None:
        target = self.stores[receiver]
        first_seq = target.vector.get(branch, 0) + 1
        read = source.read_log(ReadLog(1, branch, first_seq, 1 << 20)).records
        if read is None:
            return
        named = tuple((Dot(branch, seq), record) for seq, record in enumerate(read[:count], first_seq))
        self.saw("void shipped", any(record.kind is Kind.VOID for _, record in named))
        self.commit(target, Commit(1, named, passed=self.passed.get(receiver)))
        self.saw("orphan kept", any(not orphan.is_gone for orphan in target.tables.orphaned.values()))
        self.saw("gone before its put", any(orphan.is_gone for orphan in target.tables.orphaned.values()))

    @rule(node=st.integers(0, STORES - 1))
    def cut_log(self, node: int) -> None:
        """Lose the log: from now on others need a snapshot."""
        store = self.stores[node]
        store.cut = dict(store.vector)

    @rule(sender=st.integers(0, STORES - 1), receiver=st.integers(0, STORES - 1))
    def begin_snapshot(self, sender: int, receiver: int) -> None:
        """Read a snapshot; its pieces arrive later, some of them never. One comes at a time."""
        if sender == receiver:
            return
        pieces = self.stores[sender].read_snapshot(ReadSnapshot(1, dict(self.stores[receiver].vector)))
        items = [item_message(item, blob) for piece in pieces for item, blob in piece.items]
        items += [orphan_message(orphan) for piece in pieces for orphan in piece.orphans]
        assert pieces[0].vector is not None
        self.snapshots = [coming for coming in self.snapshots if coming.receiver != receiver]
        self.snapshots.append(Coming(receiver, items, pieces[0].vector, b""))
        self.passed.pop(receiver, None)
        self.commit(self.stores[receiver], Commit(1, begin=pieces[0].vector))

    @rule(number=st.integers(0, 3), count=st.integers(1, 3))
    def continue_snapshot(self, number: int, count: int) -> None:
        """Merge some more pieces, or the end."""
        if not self.snapshots:
            return
        number %= len(self.snapshots)
        receiver, items, vector, after = self.snapshots[number]
        target = self.stores[receiver]
        before = len(target.items)
        if items:
            taken = tuple(items[:count])
            until = max([after, *(item.key for item in taken if item.kind is Kind.PUT and item.blob is None)])
            self.commit(target, Commit(1, items=taken, is_snapshot=True, stretch=Stretch(vector, after, until)))
            self.saw("dropped by absence", len(target.items) < before)
            self.snapshots[number] = Coming(receiver, items[count:], vector, until)
            self.passed[receiver] = Stretch(vector, b"", until)
            return
        self.commit(target, Commit(1, is_snapshot=True, stretch=Stretch(vector, after, None), vector=vector))
        self.saw("dropped by absence", len(target.items) < before)
        self.saw("snapshot merged", True)
        del self.snapshots[number]
        self.passed.pop(receiver, None)

    @rule(number=st.integers(0, 3))
    def break_snapshot(self, number: int) -> None:
        if self.snapshots:
            coming = self.snapshots.pop(number % len(self.snapshots))
            self.saw("snapshot broken off", bool(coming.items))

    def saw(self, what: str, is_seen: bool) -> None:
        if is_seen:
            self.seen[what] = self.seen.get(what, 0) + 1

    # --- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def covered_but_absent_is_ended(self) -> None:
        for node, store in enumerate(self.stores):
            for put, key in self.puts.items():
                is_here = key in store.items and store.items[key].put == put
                if covers(store.vector, put) and not is_here:
                    assert put in self.ended, f"store {node} lost {key!r}"
                if not covers(store.vector, put) and not is_here and put in store.tables.orphaned:
                    assert not store.tables.orphaned[put].is_gone or put in self.ended

    @invariant()
    def no_part_falls(self) -> None:
        for node, store in enumerate(self.stores):
            for item in store.items.values():
                value, before = item.parts[b"p"], self.ranks.get((node, item.put))
                assert before is None or value >= before
                self.ranks[node, item.put] = value

    @invariant()
    def every_item_has_its_content(self) -> None:
        for store in self.stores:
            assert store.items.keys() == store.tables.blobs.keys()
            assert all(store.tables.blobs[key] == key for key in store.items)

    def teardown(self) -> None:
        """Let everything be shipped: all agree, on exactly what was put and not ended."""
        for _ in range(2):
            for sender in range(STORES):
                for receiver in range(STORES):
                    self.sync(sender, receiver)
        first = self.stores[0]
        expected = {key for put, key in self.puts.items() if put not in self.ended}
        for store in self.stores:
            assert store.vector == first.vector
            assert set(store.items) == expected, f"{sorted(store.items)} instead of {sorted(expected)}"
            assert {k: (i.parts, i.flags) for k, i in store.items.items()} == {
                k: (i.parts, i.flags) for k, i in first.items.items()
            }
            assert store.tables.orphaned == {}

    def sync(self, sender: int, receiver: int) -> None:
        """Ship everything that the receiver lacks, by log where it reaches, else by snapshot."""
        source, target = self.stores[sender], self.stores[receiver]
        for branch, seq in list(source.vector.items()):
            have = target.vector.get(branch, 0)
            if seq <= have:
                continue
            read = source.read_log(ReadLog(1, branch, have + 1, 1 << 30)).records
            if read is None:
                self.snapshots = []
                self.begin_snapshot(sender, receiver)
                while self.snapshots:
                    self.continue_snapshot(0, 3)
                return
            named = tuple((Dot(branch, at), r) for at, r in enumerate(read, have + 1))
            self.commit(target, Commit(1, named, passed=self.passed.get(receiver)))


def run(examples: int, *, is_shrunk: bool = False) -> dict[str, int]:
    """Search; return what was reached."""
    phases = (Phase.generate, Phase.shrink) if is_shrunk else (Phase.generate,)
    Stores.seen = {}
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Stores,
        settings=settings(
            max_examples=examples,
            stateful_step_count=50,
            deadline=None,
            database=None,
            derandomize=True,
            phases=phases,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return Stores.seen


def test_the_stores_agree_and_forget_nothing() -> None:
    seen = run(400, is_shrunk=True)
    for what in (
        "void shipped",
        "orphan kept",
        "gone before its put",
        "dropped by absence",
        "snapshot merged",
        "snapshot broken off",
    ):
        assert seen.get(what, 0) > 0, f"the search never reached: {what}"


def _forget_the_gone(tables: merge.Tables, key: bytes, put: Dot) -> merge.Applied:
    was = tables.item(key)
    if was is not None and was.put == put:
        tables.delete_item(was)
    return merge.Applied(merge.Change.REMOVED, key, put)


def _drop_the_unknown(tables: merge.Tables, key: bytes, put: Dot, *rest: Any) -> merge.Applied:
    was = tables.item(key)
    if was is None or was.put != put:
        return merge.Applied(merge.Change.NOTHING, key, put)
    return merge._join(tables, was, *rest)


def _resurrect(tables: merge.Tables, item: SnapshotItem, terminal_rank: int, **how: Any) -> merge.Applied:
    if item.kind is Kind.PUT and item.blob is not None and tables.item(item.key) is None:
        added = Item(item.key, item.put, dict(item.parts), item.flags, item.meta, len(item.blob))
        tables.put_item(added, None, item.blob)
        return merge.Applied(merge.Change.ADDED, item.key, item.put)
    return merge_item(tables, item, terminal_rank, **how)


merge_item = merge.merge_item
BUGS: dict[str, tuple[str, Callable[..., Any]]] = {
    "absence is deletion": ("absent_there_is_finished", lambda sender, put: True),
    "a snapshot brings back what was finished": ("merge_item", _resurrect),
    "what a snapshot brings is not named": ("_take_named", lambda tables, *rest: merge_item(tables, *rest)),
    "records about unknown items are dropped": ("_learn", _drop_the_unknown),
    "what is gone before its PUT is forgotten": ("_remove", _forget_the_gone),
    "the last writer wins": ("join_part", lambda mine, theirs: theirs),
    "the older flags win": ("join_flags", lambda mine, theirs: mine if mine != NO_FLAGS else theirs),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, planted = BUGS[bug]
    monkeypatch.setattr(merge, name, planted)
    with pytest.raises(AssertionError):
        run(2000)

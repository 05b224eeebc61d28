"""Bugs in the merge."""

from __future__ import annotations

from typing import Any

from replicator.core import merge
from replicator.core.messages import SnapshotItem
from replicator.core.values import Dot, Item, Kind, PartValue
from tests.simulation.campaign import LOST_DISKS, SPLITS
from tests.simulation.mutants.planting import Mutant, Planting


def _absent_is_deleted(planting: Planting) -> None:
    planting.replace(merge, "absent_there_is_finished", lambda sender, put: True)


def _snapshot_resurrects(planting: Planting) -> None:
    def merge_item(tables: merge.Tables, item: SnapshotItem, terminal_rank: int, **how: Any) -> merge.Applied:
        if item.kind is Kind.PUT and tables.item(item.key) is None:
            blob = item.blob or b""
            tables.put_item(Item(item.key, item.put, dict(item.parts), item.flags, item.meta, len(blob)), None, blob)
            return merge.Applied(merge.Change.ADDED, item.key, item.put)
        applied: merge.Applied = was(tables, item, terminal_rank, **how)
        return applied

    was = planting.replace(merge, "merge_item", merge_item)


def _unknown_dropped(planting: Planting) -> None:
    def learn(tables: merge.Tables, key: bytes, put: Dot, *rest: Any) -> merge.Applied:
        item = tables.item(key)
        if item is None or item.put != put:
            return merge.Applied(merge.Change.NOTHING, key, put)
        applied: merge.Applied = learned(tables, key, put, *rest)
        return applied

    def remove(tables: merge.Tables, key: bytes, put: Dot) -> merge.Applied:
        item = tables.item(key)
        if item is None or item.put != put:
            return merge.Applied(merge.Change.NOTHING, key, put)
        applied: merge.Applied = removed(tables, key, put)
        return applied

    learned = planting.replace(merge, "_learn", learn)
    removed = planting.replace(merge, "_remove", remove)


def _last_writer_wins(planting: Planting) -> None:
    def join_part(mine: PartValue, theirs: PartValue) -> PartValue:
        return theirs

    planting.replace(merge, "join_part", join_part)


MUTANTS = (
    Mutant("absent-is-deleted", 8, "what a snapshot lacks is deleted", ("S5",), 200, _absent_is_deleted),
    Mutant(
        "snapshot-resurrects",
        9,
        "a snapshot adds what was finished here",
        ("S14", "S9", "S10", "L1"),
        300,
        _snapshot_resurrects,
        SPLITS,
    ),
    Mutant(
        "unknown-dropped",
        11,
        "a record about an unknown item is dropped",
        ("S14", "S9", "S10", "S11", "L1"),
        1_500,
        _unknown_dropped,
        LOST_DISKS,
    ),
    Mutant(
        "last-writer-wins", 13, "the later value of a part replaces the higher", ("S4", "S9"), 600, _last_writer_wins
    ),
)

"""Bugs in what is done about damage, about a disk that is full, and about what operators write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from replicator.core import merge, sending
from replicator.core.events import Committed, Effect, Submit
from replicator.core.member import Member
from replicator.core.merge import Parts
from replicator.core.peer import Peer
from replicator.core.quarantine import Quarantine
from replicator.core.values import Dot, Flags, PartValue
from tests.simulation.campaign import FULL, HANDS, ROTTEN
from tests.simulation.mutants.planting import Mutant, Planting

RESTARTED = replace(
    ROTTEN, menu=("bit flips", "bit flips", "restore", "cut", "slow disk", "switchover"), log_records_max=(2,)
)
HASTY = replace(ROTTEN, menu=("bit flips", "bit flips", "slow disk", "slow disk", "kill"))
DROPPING = replace(ROTTEN, menu=("bit flips", "lossy link"), faults_max=12, trouble_seconds=5, letters=(20, 30))


def _damage_is_an_end(planting: Planting) -> None:
    planting.replace(merge, "absent_is_finished", _covered)


def _covered(tables: merge.Tables, key: bytes, put: Dot) -> bool:
    return tables.position(put.branch) >= put.seq


def _absent_there_is_an_end(planting: Planting) -> None:
    planting.replace(Quarantine, "_has_finished", lambda self, key, put, node: True)
    planting.replace(Quarantine, "_is_behind", lambda self, key, theirs: False)


def _damage_unsaid(planting: Planting) -> None:
    def snapshot_read(self: sending.Outgoing, event: Any, now: int, out: Any) -> None:
        was(self, event._replace(away=()), now, out)

    was = planting.replace(sending.Outgoing, "snapshot_read", snapshot_read)


def _sent_for_arrived(planting: Planting) -> None:
    planting.replace(Peer, "unconfirmed", lambda self, vector: {})


def _ended_is_lost(planting: Planting) -> None:
    def committed(self: Quarantine, event: Committed, out: list[Effect]) -> None:
        was(self, event._replace(back=()), out)

    was = planting.replace(Quarantine, "committed", committed)


def _full_for_ever(planting: Planting) -> None:
    def full(self: Member, event: Submit) -> str:
        self.was_full = getattr(self, "was_full", "") or was(self, event)  # type: ignore[attr-defined]
        return was(self, event) or (self.was_full if event.wait else "")  # type: ignore[attr-defined]

    was = planting.replace(Member, "_full", full)


def _flags_by_arrival(planting: Planting) -> None:
    def join_flags(mine: Flags, theirs: Flags) -> Flags:
        return theirs if theirs.hlc else mine

    planting.replace(merge, "join_flags", join_flags)


def _order_of_hashes(planting: Planting) -> None:
    def join_parts(mine: Parts, theirs: Parts) -> dict[bytes, PartValue]:
        joined = was(mine, theirs)
        return {name: joined[name] for name in set(joined)}

    was = planting.replace(merge, "join_parts", join_parts)


ORDER_OF_HASHES = Mutant("order-of-hashes", 33, "parts are kept in the order of a set", (), 0, _order_of_hashes)
"""Breaks no invariant: a history is no longer the same under another PYTHONHASHSEED, which is what finds it."""

MUTANTS = (
    Mutant(
        "damage-is-an-end",
        113,
        "what is damaged counts as finished",
        ("S5", "L1", "S2", "S10"),
        300,
        _damage_is_an_end,
        ROTTEN,
    ),
    Mutant(
        "absent-there-is-an-end",
        114,
        "what the peer does not have counts as finished there",
        ("S2", "S5", "S9", "S10", "L1"),
        600,
        _absent_there_is_an_end,
        HASTY,
    ),
    Mutant(
        "damage-unsaid",
        115,
        "a snapshot is silent of what is damaged",
        ("S5", "S10", "L1"),
        1_200,
        _damage_unsaid,
        RESTARTED,
    ),
    Mutant(
        "sent-for-arrived",
        124,
        "what is asked for goes at once, whatever was lost before it",
        ("S3",),
        400,
        _sent_for_arrived,
        DROPPING,
    ),
    Mutant(
        "ended-is-lost",
        125,
        "what is damaged is asked for when a record has ended it",
        ("S20",),
        50,
        _ended_is_lost,
        ROTTEN,
    ),
    Mutant("full-for-ever", 116, "a disk that was full once counts as full", ("L6",), 50, _full_for_ever, FULL),
    Mutant("flags-by-arrival", 117, "the register takes what comes last", ("S4", "S9"), 200, _flags_by_arrival, HANDS),
)

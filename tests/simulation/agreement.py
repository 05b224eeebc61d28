"""Whether the nodes agree: at any time, where they know as much, and in the end, when nothing is left to do.

Numbers of invariants are those of `truth.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from replicator.core.values import Durability, Item, Vector
from replicator.core.vectors import covers
from tests.simulation.clock import Violation
from tests.simulation.lives import Life, knows_less
from tests.simulation.ranks import is_dsn

if TYPE_CHECKING:
    from tests.simulation.disk import Disk
    from tests.simulation.machine import Machine
    from tests.simulation.truth import Truth


class Agreement:
    """Compares the disks of one history, given what really happened."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth

    def check(self) -> None:
        """S10: nodes with equal vectors hold equal items, but for what came with a snapshot that has not ended.

        A site may have left out what it was told to be finished; the other learns that by a record still to come.
        What is damaged on one of them is neither here nor gone, until it is back or known to be finished.
        """
        truth = self._truth
        first, second = (machine.disk for machine in truth.machines)
        self._check_equal(first, second, lambda life: self._has_end_at_site_alone(life, first.vector))
        for other in truth.everybody[2:]:
            for disk in (first, second):
                self._check_equal(disk, other.disk, lambda life: life.key in truth.excused or truth.may_be_absent(life))

    def _has_end_at_site_alone(self, life: Life, vector: Vector) -> bool:
        """Tell whether of both disks of the pair, at one vector, one alone may hold an item for which nothing is owed.

        The record of its end went with a disk before the peer had it. The site was spared the item for its end, and
        filled the new disk: the peer's copy is left, and waits for an owner who delivers it, or for an operator.
        """
        site = self._truth.machines[0].world.site
        ends = life.done + life.aborted
        is_known = any(vector.get(dot.branch, 0) >= dot.seq for dot in ends)
        if not ends or is_known or site is None or not site.was_spared(life) or not self._truth.may_be_absent(life):
            return False
        if life.key not in self._truth.excused:
            self._truth.excused.add(life.key)
            self._truth.clock.counts["excused: an end that the site alone was told of"] += 1
        return True

    def _check_equal(self, first: Disk, second: Disk, may_be_absent: Callable[[Life], bool]) -> None:
        if first.vector != second.vector or first.is_ahead or second.is_ahead:
            return
        self._truth.clock.counts["equal vectors compared"] += 1
        if first.items != second.items:
            damaged = {*first.store.rotten, *second.store.rotten, *first.away, *second.away}
            differing = [
                key
                for key in {**first.items, **second.items}
                if first.items.get(key) != second.items.get(key)
                and key not in damaged
                and not ((key not in first.items or key not in second.items) and may_be_absent(self._truth.lives[key]))
                and not self._is_untold(self._truth.lives[key], first, second)
            ]
            if differing:
                raise Violation("S10", f"equal vectors, but not equal: {differing}")

    def _is_untold(self, life: Life, first: Disk, second: Disk) -> bool:
        """Tell whether one of two disks may know less of an item: what it lacks is done again, and ends on both."""
        if not (knows_less(first, second, life) or knows_less(second, first, life)):
            return False
        self._truth.clock.counts["excused: a state that a damaged copy could not tell"] += 1
        return True

    def check_end(self) -> None:
        """S2, L1: every acknowledged part has ended. S10, L3, L4: the members agree, and one is the owner."""
        truth = self._truth
        for life in truth.lives.values():
            if life.acked == Durability.REFUSED or life.key in truth.excused or is_dsn(life.key):
                continue
            for part in life.parts:
                what = (life.key, part)
                if life.delivered[part] or what in truth.cancelled:
                    continue
                notices = truth.notices.get(what, ())
                if not any(notice.delivered[b"sender"] or notice.key in truth.excused for notice in notices):
                    raise Violation("S2", f"{what} was acknowledged, and never delivered nor bounced")
        first, *others = (machine.disk for machine in truth.everybody)
        mine, *rest = (self.owed(machine) for machine in truth.everybody)
        for second, theirs in zip(others, rest, strict=True):
            if first.vector != second.vector:
                raise Violation("L3", f"the vectors differ: {first.vector} and {second.vector}")
            if mine != theirs:
                raise Violation("S10", f"equal vectors, but {sorted(mine)} and {sorted(theirs)}")
        if mine:
            raise Violation("L1", f"still there after all: {sorted(mine)}")

        for disk in (first, *others):
            away = self.owed_of_away(disk.away)
            if away:
                raise Violation("L1", f"still away after all: {sorted(away)}")
            for orphan in disk.store.orphans():
                if disk.vector.get(orphan.put.branch, 0) >= orphan.put.seq and orphan.key not in disk.away:
                    raise Violation("S10", f"kept for an item that has come: {orphan}")

    def owed_of_away(self, away: Iterable[bytes]) -> list[bytes]:
        """Leave out what has ended: that it has may be lost with a log, and it is named as lost then."""
        truth = self._truth
        return [key for key in away if key not in truth.excused and not truth.may_be_absent(truth.lives[key])]

    def owed(self, machine: Machine) -> dict[bytes, Item]:
        """Leave out what is left of a snapshot that never ended, because both disks were lost meanwhile."""
        return {
            key: item
            for key, item in machine.disk.items.items()
            if key not in self._truth.excused and not self._is_left_at_site(machine, self._truth.lives[key])
        }

    def _is_left_at_site(self, machine: Machine, life: Life) -> bool:
        """Tell whether the site has an item of such a snapshot, for which nothing is owed: the record of its end went
        with both disks, and no position covers the item, so that nobody can tell the site of it."""
        is_covered = any(covers(each.disk.vector, life.put) for each in self._truth.everybody)
        if machine in self._truth.machines or is_covered or not self._truth.may_be_absent(life):
            return False
        self._truth.clock.counts["excused: what has ended, left at the site of a snapshot that never did"] += 1
        return True

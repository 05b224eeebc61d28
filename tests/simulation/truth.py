"""What really happened, kept by the world and never asked of a member, and the invariants checked against it.

Numbers of invariants are those of the design: S1-S5, S7, S9, S10, S12-S16 and L1-L5 (docs/explanation/replication).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from replicator.core.authority import STANDING_BY
from replicator.core.events import Answer, Commit, RoleChanged, Settings
from replicator.core.merge import Change
from replicator.core.values import AckLevel, Branch, Dot, Durability, Item, Kind, Mode, PartValue, Record, Role, Vector
from tests.simulation.claims import Confirmed
from tests.simulation.clock import MS, SECOND, Clock, Violation
from tests.simulation.lives import Before, End, Life, has_ended_on, is_pending, is_whole_on
from tests.simulation.ranks import BOUNCED, CANCELLED, DELIVERED, TERMINAL, bounce_of, is_dsn

if TYPE_CHECKING:
    from tests.simulation.machine import Machine

BY_ORDER = "an operator let the site deliver"
DOTS_MAX = 4_000  # records that one history may make; more is members that answer one another for ever


class Truth:
    """The ground truth of one history."""

    def __init__(self, clock: Clock, machines: list[Machine], everybody: list[Machine], claim: int) -> None:
        self.clock = clock
        self.claims = Confirmed(claim)
        self.machines = machines  # of the pair
        self.everybody = everybody  # with the site
        self.records: dict[Branch, list[Record]] = {}
        self.lives: dict[bytes, Life] = {}
        self.notices: dict[tuple[bytes, bytes], list[Life]] = {}  # by the item and part that bounced
        self.bounced: set[tuple[bytes, bytes]] = set()
        self.cancelled: set[tuple[bytes, bytes]] = set()
        self.excused: set[bytes] = set()
        self.peak: list[Vector] = [{}, {}, {}]  # the most that each node ever had durable
        self.dots_count = 0
        self._asked: dict[int, bytes] = {}
        self._refused: list[bytes] = []
        self._disks: dict[int, int] = {}  # the store that an incarnation runs on
        self._far_stores: set[int] = set()  # of the site: no answer counts them

    # --- what the clients see -----------------------------------------------------------------------------

    def handed_in(self, token: int, key: bytes) -> None:
        self._asked[token] = key

    def answered(self, machine: Machine, answer: Answer) -> None:
        """S1: as many copies as the answer says. S12: never 250 after ABORT; 451 leaves nothing behind."""
        key = self._asked.pop(answer.token, None)
        life = self.lives.get(key) if key is not None else None
        if key is None:
            return
        if answer.durability == Durability.REFUSED:
            self.clock.counts[f"refused: {answer.why}"] += 1
            if answer.why == "full" and machine.disk.free_permille == 1000 and machine.has_told_room():
                raise Violation("L6", f"node {machine.node} takes nothing new, and its disk has room again")
            if life is not None:
                life.refused_by = machine.pid
                self._refused.append(key)
            return
        self.clock.counts["acknowledged"] += 1
        if answer.durability == Durability.LOCAL:
            self.clock.counts["degraded ack"] += 1
        elif answer.durability == Durability.RECEIVED:
            self.clock.counts["ack of what is received"] += 1
            if machine.settings.level is not AckLevel.REMOTE_RECEIVED:
                raise Violation("S1", f"250 for {key!r}, which is on one disk, and two are asked for")
        if life is None:
            raise Violation("S1", f"250 for {key!r}, which is in no commit")
        if machine.disk.number not in life.held_by:
            raise Violation("S1", f"250 for {key!r} before it is durable here")
        if answer.durability == Durability.REMOTE and len(life.held_by - self._far_stores) < 2:
            raise Violation("S1", f"250 for {key!r} promises two copies, and there is one")
        if life.aborted:
            raise Violation("S12", f"250 for {key!r} after its ABORT")
        life.acked = answer.durability

    def stepped(self, machine: Machine) -> None:
        """After a step that the process survived."""
        for key in self._refused:
            if not self.lives[key].aborted:
                raise Violation("S12", f"451 for {key!r} without an ABORT: it stays a ghost")
        self._refused.clear()

    # --- processes ----------------------------------------------------------------------------------------

    def process_started(self, machine: Machine) -> None:
        self._disks[machine.incarnation] = machine.disk.number
        if machine not in self.machines:
            self._far_stores.add(machine.disk.number)

    def process_ended(self, machine: Machine) -> None:
        self._refused.clear()

    def role_changed(self, machine: Machine, before: Role, changed: RoleChanged) -> None:
        """S16: silence long enough before a takeover. S8: the grants of a node only grow."""
        site = machine.world.site
        if site is not None and machine is site.machine:
            site.role_changed(before, changed)
            return
        if changed.role == Role.ACTIVE and machine.world.witness is not None:
            machine.world.witness.became_active(machine, changed.authority.epoch)
        if changed.role == Role.FENCED:
            self.clock.counts["owner fenced"] += 1
        elif changed.role == Role.ACTIVE and before == Role.FENCED:
            self.clock.counts["owner unfenced"] += 1
        elif changed.role == Role.ACTIVE and before != Role.DRAINING:
            self._took_over(machine)
        elif before == Role.ACTIVE and changed.role in STANDING_BY:
            self.clock.counts["deposed owner steps down"] += 1

    def _took_over(self, machine: Machine) -> None:
        clock = self.clock
        clock.counts["takeover"] += 1
        if machine.is_demoted:
            raise Violation("S17", f"node {machine.node} owns again, and was told not to")
        for each in self.machines:
            each.is_demoted = False
        if any(is_pending(item) for item in machine.disk.items.values()):
            clock.counts["takeover with pending mail"] += 1
        self.claims.taken_over(machine)
        if clock.now - machine.handed_over_at < SECOND:
            clock.counts["switchover done"] += 1
        elif not machine.is_promoted_by_order and clock.now - machine.commanded_at > SECOND:
            self._check_silence(machine)

    def told_lost(self, machine: Machine, key: str) -> None:
        """S20: what a member calls lost is damaged on its disk still, and has neither come back nor ended there."""
        if key.encode() not in machine.disk.away:
            raise Violation("S20", f"node {machine.node} calls {key} lost, which is not away there")

    def _check_silence(self, machine: Machine) -> None:
        if machine.active_heard_at is not None:
            silence = self.clock.now - machine.active_heard_at
            if silence < 8 * self._borne(machine.settings) // 10:
                raise Violation("S16", f"node {machine.node} promoted {silence // MS} ms after word of an active")

    @staticmethod
    def _borne(settings: Settings) -> int:
        """Return how long an active's silence is borne."""
        return settings.ask_after if settings.authority is Mode.WITNESS else settings.promote_after

    def check_honesty(self, machine: Machine) -> None:
        """S13: what is owed and has one copy is counted, as far as the node can know of the other disk."""
        other = self.machines[1 - machine.node].disk
        if self._disks.get(machine.greeted_by) != other.number or not machine.is_answering:
            return
        items, vector = machine.disk.items, other.vector
        alone = [
            key
            for key, life in self.lives.items()
            if life.acked in (Durability.LOCAL, Durability.RECEIVED)
            and key in items
            and is_pending(items[key])
            and life.put.seq > vector.get(life.put.branch, 0)
        ]
        counted = machine.member.status.unprotected
        if len(alone) > counted:
            raise Violation("S13", f"node {machine.node} counts {counted} unprotected, and {alone} have one copy")

    # --- delivery -----------------------------------------------------------------------------------------

    def final_dot(self, machine: Machine, key: bytes, part: bytes) -> None:
        """S7: no final dot without own authority. S12: nor for what this process has answered with 451."""
        if machine.role != Role.ACTIVE:
            raise Violation("S7", f"node {machine.node} is {machine.role.name} and ends {key!r} {part!r} with the dot")
        if machine.world.witness is not None and machine in self.machines:
            machine.world.witness.final_dot(machine)
        if self.lives[key].refused_by == machine.pid:
            raise Violation("S12", f"node {machine.node} delivers {key!r}, which it answered with 451")

    def attempt_begins(self, machine: Machine, key: bytes, part: bytes) -> str:
        """S11: what a node delivers a second time it did not know to be delivered. Return why, "": it is the first."""
        life = self.lives[key]
        self.claims.check(machine, (key, part), is_damaged=bool(life.damaged_on))
        ends = life.ends.get(part)
        if not ends:
            return ""
        vector = machine.disk.vector
        if any(vector.get(dot.branch, 0) >= dot.seq for dot in life.results.get(part, ())):
            if life.damaged_on:
                return "the item was damaged"
            raise Violation("S11", f"node {machine.node} begins {key!r} {part!r}, which it has as delivered")
        end = ends[-1]
        if end.is_reply_lost:
            return "the reply was lost"
        if end.pid == machine.pid:
            raise Violation("S11", f"node {machine.node} begins {key!r} {part!r} again in the process that ended it")
        if self._is_of_two_places(machine.node, life, part):
            return BY_ORDER
        if any(other.pid == end.pid for other in self.everybody):
            return "the result was not here yet"
        vectors = [other.disk.vector for other in self.everybody]
        if any(vector.get(dot.branch, 0) >= dot.seq for dot in life.results.get(part, ()) for vector in vectors):
            return "the process ended before its result was here"
        return "the process ended before its result was on a disk"

    def _is_of_two_places(self, node: int, life: Life, part: bytes) -> bool:
        """Tell whether the last delivery of a part was on the other side of the WAN."""
        far = [machine.node for machine in self.everybody[2:]]
        return (node in far) != (life.ends[part][-1].node in far)

    def delivered(self, end: End, key: bytes, part: bytes, why_again: str) -> None:
        """Note what a next hop took. why_again: as the attempt began."""
        life = self.lives[key]
        if life.delivered[part]:
            at_once = BY_ORDER if self._is_of_two_places(end.node, life, part) else "two attempts at once"
            self.clock.counts["duplicate"] += 1
            self.clock.counts[f"duplicate: {why_again or at_once}"] += 1
        life.delivered[part] += 1
        life.ends.setdefault(part, []).append(end)

    def has_ended(self, life: Life, part: bytes) -> bool:
        """Tell whether nothing is owed for a part."""
        what = (life.key, part)
        return life.delivered[part] > 0 or what in self.bounced or what in self.cancelled

    def may_be_absent(self, life: Life) -> bool:
        if life.aborted and life.acked == Durability.REFUSED:
            return True
        return all(self.has_ended(life, part) for part in life.parts)

    # --- what the members write ---------------------------------------------------------------------------

    def asked_to_commit(self, machine: Machine, commit: Commit) -> None:
        """Learn what dots mean. S9: equal dots are equal records, without gaps, each written by one process once."""
        own = Branch(machine.node, machine.incarnation)
        for dot, record in commit.records:
            known = self.records.setdefault(dot.branch, [])
            if dot.seq <= len(known):
                if dot.branch == own:
                    raise Violation("S9", f"the dot {dot} is given a second time")
                self._compare(dot, known[dot.seq - 1], record)
            elif dot.branch != own or dot.seq != len(known) + 1:
                raise Violation("S9", f"{dot} comes after {len(known)}: a gap")
            else:
                known.append(record)
                self._learn(dot, record)
        if commit.floors is not None:
            self._check_floors(machine, commit.floors, commit.floors if commit.cut is None else commit.cut)
        site = machine.world.site
        if commit.authority is not None:
            if site is not None:
                site.learnt(machine, machine.known, commit.authority)
            machine.known = commit.authority

    def _compare(self, dot: Dot, known: Record, record: Record) -> None:
        if record.kind == Kind.VOID and known.kind == Kind.PUT:
            if not self.may_be_absent(self.lives[known.key]) and known.key not in self.excused:
                raise Violation("S5", f"{known.key!r} is shipped as VOID, and is not finished")
        elif record != known:
            raise Violation("S9", f"two records of {dot}: {known} and {record}")

    def _learn(self, dot: Dot, record: Record) -> None:
        self.dots_count += 1
        if self.dots_count > DOTS_MAX:
            raise Violation("S9", "the members write without end")
        if record.kind == Kind.PUT:
            if record.key in self.lives:
                raise Violation("S9", f"{record.key!r} is put by {self.lives[record.key].put} and by {dot}")
            life = self.lives[record.key] = Life(record.key, dot, tuple(name for name, _ in record.parts))
            if is_dsn(record.key):
                self.notices.setdefault(bounce_of(record.key), []).append(life)
        elif record.kind == Kind.PART:
            for name, value in record.parts:
                if value.rank == DELIVERED:
                    self.lives[record.key].results.setdefault(name, []).append(dot)
        elif record.kind == Kind.DONE:
            self.lives[record.key].done.append(dot)
        elif record.kind == Kind.ABORT:
            life = self.lives[record.key]
            if life.acked != Durability.REFUSED:
                raise Violation("S12", f"ABORT of {record.key!r} after its 250")
            life.aborted.append(dot)
            self.clock.counts["abort"] += 1
            if any(other.node != dot.branch.node and other.role == Role.ACTIVE for other in self.machines):
                self.clock.counts["abort raced with a takeover"] += 1

    def _check_floors(self, machine: Machine, floors: Vector, cut: Vector) -> None:
        """S15: the log is cut only where every other has it durable; what both of the pair have, both had."""
        for other in self.everybody:
            is_of_pair = machine in self.machines and other in self.machines
            had = self.peak[other.node]
            for branch, seq in (floors if is_of_pair else cut).items() if other is not machine else ():
                if seq > had.get(branch, 0):
                    raise Violation(
                        "S15",
                        f"the log of {branch} is cut to {seq}; node {other.node} never had beyond {had.get(branch, 0)}",
                    )

    # --- what becomes durable -----------------------------------------------------------------------------

    def became_durable(self, machine: Machine, before: Before, touched: set[bytes]) -> None:
        """Check one transaction against what the store held before it: S3, S4, S5, S9, S14."""
        disk = machine.disk
        after, peak = disk.vector, self.peak[machine.node]
        covered: list[tuple[Dot, Record]] = []
        for branch, seq in after.items():
            low = before.vector.get(branch, 0)
            if seq > low:
                records = self.records.get(branch, [])
                if seq > len(records):
                    raise Violation("S9", f"node {machine.node} says it has {branch} up to {seq}, which nobody wrote")
                covered.extend((Dot(branch, number + 1), records[number]) for number in range(low, seq))
                if seq > peak.get(branch, 0):
                    peak[branch] = seq
            elif seq < low:
                raise Violation("S9", f"node {machine.node}: the vector of {branch} fell from {low} to {seq}")
        for dot, record in covered:
            self._check_parts(machine, dot, record)
        for dot, record in covered:
            touched.add(record.key)
            if record.kind == Kind.PUT:
                self._check_put(machine, dot, record)
        for _, _, applied in disk.store.applied:
            if applied.change is Change.ORPHANED:
                self.clock.counts["orphan kept"] += 1
        for key in sorted(touched):
            self._check_item(machine, key, before, disk.items.get(key))

    def _check_parts(self, machine: Machine, dot: Dot, record: Record) -> None:
        """S9: what the vector covers is here, or was superseded: parts are at least so high."""
        item = machine.disk.items.get(record.key)
        is_whole = not self.lives[record.key].damaged_on
        if record.kind == Kind.FLAGS and item is not None and item.flags < record.flags and is_whole:
            raise Violation("S9", f"node {machine.node} covers {dot}, but the flags of {record.key!r} are older")
        for name, value in record.parts if record.kind == Kind.PART else ():
            self.claims.written((record.key, name), value)
            if value.rank >= TERMINAL:
                self._check_end(machine, self.lives[record.key], name, value)
            # what was last known of a part may go with a damaged copy: it is done again
            if item is not None and item.parts[name] < value and not self.lives[record.key].damaged_on:
                raise Violation("S9", f"node {machine.node} covers {dot}, but {record.key!r} {name!r} is lower")

    def _check_put(self, machine: Machine, dot: Dot, record: Record) -> None:
        """S9: an item whose PUT the vector covers is here, or has ended."""
        life = self.lives[record.key]
        life.held_by.add(machine.disk.number)
        if machine in self.machines and machine.disk.holds(record.key):
            self.excused.discard(record.key)  # it was on its way here when the other copy was lost
        is_here = record.key in machine.disk.items or record.key in machine.disk.away
        if not is_here and not self.may_be_absent(life) and record.key not in self.excused:
            raise Violation("S9", f"node {machine.node} covers {dot}, but {record.key!r} is not there nor finished")

    def _check_item(self, machine: Machine, key: bytes, before: Before, item: Item | None) -> None:
        life, was = self.lives[key], before.items.get(key)
        if item is None:
            is_dropped = (was is not None or key in before.away) and key not in machine.disk.away
            if is_dropped and not self.may_be_absent(life) and key not in self.excused:
                raise Violation("S5", f"node {machine.node} removes {key!r}, which is not finished")
            return
        if was is None and key not in before.away and before.vector.get(item.put.branch, 0) >= item.put.seq:
            raise Violation("S14", f"node {machine.node} takes {key!r} back after it had finished it")
        vector = machine.disk.vector
        for dot in life.done + life.aborted:
            if vector.get(dot.branch, 0) >= dot.seq and self._may_outlive_its_end(life):
                # a snapshot told its end to a member whose copy could not be read: it knew the position alone
                self.clock.counts["excused: an end that went with a damaged copy"] += 1
            elif vector.get(dot.branch, 0) >= dot.seq:
                raise Violation("S14", f"node {machine.node} keeps {key!r}, though it has the record of its end")
        if was is not None and item.flags < was.flags:
            raise Violation("S4", f"node {machine.node}: the flags of {key!r} fell from {was.flags} to {item.flags}")
        for name, value in item.parts.items():
            if was is not None and name in was.parts and value < was.parts[name]:
                raise Violation("S4", f"node {machine.node}: {key!r} {name!r} fell from {was.parts[name]} to {value}")
            if value.rank >= TERMINAL:
                self._check_end(machine, life, name, value)

    def _may_outlive_its_end(self, life: Life) -> bool:
        """Tell whether an item may be here where the record of its end is: a damaged copy knew the end by its position
        alone, and there is one more, of an old backup or of the three that there are with a site."""
        return life.is_revived or (bool(life.damaged_on) and len(self.everybody) > len(self.machines))

    def _check_end(self, machine: Machine, life: Life, part: bytes, value: PartValue) -> None:
        """S3: the ends that are recorded are true."""
        what = (life.key, part)
        if value.rank == DELIVERED:
            if not life.delivered[part]:
                raise Violation("S3", f"node {machine.node} has {what} as delivered; no next hop took it")
        elif value.rank == BOUNCED:
            notices = self.notices.get(what, ())
            if any(self._is_notice_safe(machine, notice) for notice in notices):
                self.bounced.add(what)
            elif machine not in self.machines and machine.disk.is_ahead:
                # one member shipped the item while the other's snapshot was on its way, made for a site that lacks it
                self.clock.counts["excused: a bounce that waits at the site for its notification"] += 1
            elif self._has_come_home(notices):
                self.clock.counts["excused: a bounce that came home without its notification"] += 1
            elif self._has_whole(machine, life):  # else it came with a snapshot that has not ended
                raise Violation("S3", f"node {machine.node} has {what} as bounced before its notification")
        elif value.rank == CANCELLED:
            self.cancelled.add(what)

    def _has_come_home(self, notices: Iterable[Life]) -> bool:
        """Tell whether both members lost the notification with their disks, and the site had the bounce before it."""
        is_abroad = len(self.everybody) > len(self.machines)
        return is_abroad and any(notice.key in self.excused for notice in notices)

    @staticmethod
    def _is_notice_safe(machine: Machine, notice: Life) -> bool:
        """Tell whether a notification was or can be sent by this node alone."""
        return Truth._has_whole(machine, notice) or notice.key in machine.disk.items or notice.delivered[b"sender"] > 0

    @staticmethod
    def _has_whole(machine: Machine, life: Life) -> bool:
        return machine.disk.vector.get(life.put.branch, 0) >= life.put.seq

    # --- disks --------------------------------------------------------------------------------------------

    def destroying(self, machine: Machine, kept: dict[bytes, Item]) -> None:
        """Excuse what only this store holds, where one copy was promised or the other copy was destroyed before."""
        for key in machine.disk.items:
            if key not in kept:
                self._losing(machine, key, self.everybody)
        for other in self.machines if machine in self.machines else ():
            if other is not machine:
                self.excused.update(other.disk.away)  # nobody can say any more what it was
                self.excused.update(key for key in other.disk.items if not other.disk.holds(key))

    def damaging(self, machine: Machine, key: bytes) -> None:
        """A bit is about to be flipped in an item."""
        self.lives[key].damaged_on.add(machine.disk.number)
        self._losing(machine, key, self.machines)

    def _losing(self, machine: Machine, key: bytes, machines: list[Machine]) -> None:
        """Excuse an item whose copy on this store is lost now, when none of these machines has another."""
        life = self.lives[key]
        others = [other.disk for other in machines if other is not machine]
        is_elsewhere = any(is_whole_on(disk, life) or has_ended_on(disk, life) for disk in others)
        if is_pending(machine.disk.items[key]) and not is_elsewhere:
            self.excused.add(key)
            self.clock.counts["excused: the only copy was destroyed"] += 1

    def restored(self, machine: Machine) -> None:
        """Count the restored store as a copy of what was in the backup. What had ended comes to life again where the
        peer cannot say so, because its own copy is damaged."""
        vector, number = machine.disk.vector, machine.disk.number
        away = {key for other in self.machines if other is not machine for key in other.disk.away}
        for life in self.lives.values():
            if vector.get(life.put.branch, 0) >= life.put.seq:
                life.held_by.add(number)
            if life.done and life.key in away and life.key in machine.disk.items:
                life.is_revived = True

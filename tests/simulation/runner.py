"""A model of redelivery: while its node is the owner it attempts what is due, and records what came of it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from replicator.core.events import Answer, Drained, RoleChanged
from replicator.core.values import Item, Kind, PartValue, Record, Role
from tests.simulation.claims import claimant, claimed, given_back, is_anothers
from tests.simulation.clock import MS
from tests.simulation.lives import End
from tests.simulation.ranks import BOUNCED, CANCELLED, DEFERRED, DELIVERED, HELD, QUEUED, TERMINAL, dsn_key, is_dsn

if TYPE_CHECKING:
    from tests.simulation.machine import Machine, Tell
    from tests.simulation.world import World

POLL = 120 * MS


class Attempt(NamedTuple):
    """One delivery. why_again: an earlier one succeeded, and this node could not know."""

    item: Item
    part: bytes
    value: PartValue
    why_again: str


class Runner:
    """The attempts of one process."""

    def __init__(self, world: World, machine: Machine) -> None:
        self.world = world
        self.machine = machine
        self.clock = world.clock
        self.claim = world.bounds.claim
        self.begin()

    def begin(self) -> None:
        self.in_flight: set[tuple[bytes, bytes]] = set()
        self.withheld: set[bytes] = set()  # handed in here and not answered with 250: not ours to deliver
        self._drain: int | None = None  # the number of the Drain that awaits its answer
        self._is_polling = False
        self._epoch = -1  # as an owner
        self._doubt_until = 0  # until then the claims of other nodes count, whatever they say of their end
        self._honoured: set[tuple[bytes, bytes]] = set()

    def end(self) -> None:
        self.begin()

    def role_changed(self, changed: RoleChanged) -> None:
        if changed.role == Role.ACTIVE:
            self._drain = None
            if changed.authority.epoch != self._epoch:
                self._epoch = changed.authority.epoch
                self._doubt_until = self.machine.local.now() + self.claim
            if not self._is_polling:
                self._is_polling = True
                self.machine.later(1, self._poll)

    def drain(self, attempt: int) -> None:
        self._drain = attempt
        self._say_if_drained()

    def _say_if_drained(self) -> None:
        if self._drain is not None and not self.in_flight:
            attempt, self._drain = self._drain, None
            self.machine.later(MS // 10, self.machine.take, Drained(attempt))

    # --- attempts -----------------------------------------------------------------------------------------

    def _poll(self) -> None:
        if self.machine.role != Role.ACTIVE:
            self._is_polling = False
            return
        self.machine.later(POLL, self._poll)
        wall = self.machine.wall_ms()
        for item in self.machine.disk.in_order():
            if item.key in self.withheld or item.flags.data == HELD or not self._has_due(item, wall):
                continue
            if not self.machine.disk.is_readable(item.key):
                continue
            for part, value in item.parts.items():
                what = (item.key, part)
                if value.rank < TERMINAL and self.is_due(value, wall) and what not in self.in_flight:
                    if self.is_in_doubt(value):
                        self._honour(what)
                        continue
                    self.in_flight.add(what)
                    why_again = self.world.truth.attempt_begins(self.machine, *what)
                    attempt = Attempt(item, part, value, why_again)
                    act = self._claim if self.claim else self._final_dot
                    self.machine.later(self.clock.between(2 * MS, 40 * MS), act, attempt)

    def _has_due(self, item: Item, wall: int) -> bool:
        return any(value.rank < TERMINAL and self.is_due(value, wall) for value in item.parts.values())

    def is_due(self, value: PartValue, wall: int) -> bool:
        return value.due <= wall

    def is_in_doubt(self, value: PartValue) -> bool:
        """Tell whether another node may have delivered a part, and may come back and say so."""
        return is_anothers(value, self.machine.node) and self.machine.local.now() < self._doubt_until

    def _honour(self, what: tuple[bytes, bytes]) -> None:
        if what not in self._honoured:
            self._honoured.add(what)
            self.clock.counts["claim honoured after a takeover"] += 1

    # --- claims -------------------------------------------------------------------------------------------

    def _claim(self, attempt: Attempt) -> None:
        """Write down that a part may have its final dot from now on, and wait until the peer knows or is away."""
        machine, value = self.machine, self._present(attempt)
        if value is None or not self.may_finish():
            self._end_attempt((attempt.item.key, attempt.part))
        elif value.rank >= TERMINAL:  # the peer has just told; nobody asks so late
            self._final_dot(attempt)
        else:
            until = machine.wall_ms() + self.claim // MS
            claim = claimed(value, machine.node, machine.hybrid_ms(), until)
            tell = partial(self._told_of_claim, attempt, claim)
            machine.submit(self.clock.number(), (self._change(attempt, claim),), tell, is_waited_for=True)

    def _told_of_claim(self, attempt: Attempt, claim: PartValue, answer: Answer | None) -> None:
        if answer is not None:  # else the process ended
            self.machine.later(MS // 10, self._claimed, attempt, claim, answer)

    def _claimed(self, attempt: Attempt, claim: PartValue, answer: Answer) -> None:
        self.world.truth.claims.made(self.machine, (attempt.item.key, attempt.part), claim, answer)
        self._final_dot(attempt)

    def _give_back(self, attempt: Attempt) -> None:
        """End an attempt that came to no final dot, and its claim with it."""
        what, value = (attempt.item.key, attempt.part), self._present(attempt)
        if value is None or value.rank >= TERMINAL or claimant(value) != self.machine.node:
            self._end_attempt(what)
            return
        self.clock.counts["claim given back"] += 1
        self.world.truth.claims.given_back(self.machine, what)
        self._submit(((self._change(attempt, given_back(value)),),), what)

    def _present(self, attempt: Attempt) -> PartValue | None:
        """Return the state of an attempt's part as the disk has it now; None: its item is gone."""
        item = self.machine.disk.items.get(attempt.item.key)
        return None if item is None else item.parts[attempt.part]

    @staticmethod
    def _change(attempt: Attempt, value: PartValue) -> Record:
        return Record(Kind.PART, attempt.item.key, put=attempt.item.put, parts=((attempt.part, value),))

    # --- to the next hop ----------------------------------------------------------------------------------

    def may_finish(self) -> bool:
        return self.machine.may_deliver()

    def _final_dot(self, attempt: Attempt) -> None:
        """Ask for authority at the last moment, and send the dot."""
        if not self.may_finish():
            self._give_back(attempt)
            return
        self.world.truth.final_dot(self.machine, attempt.item.key, attempt.part)
        self.clock.after(self.clock.between(MS // 10, 2 * MS), self._next_hop, self.machine.pid, attempt)

    def _next_hop(self, pid: int, attempt: Attempt) -> None:
        """Decide as the next hop does, whether or not the node still listens."""
        world, (item, part, value, why_again) = self.world, attempt
        rank = world.next_hop_says(is_notification=is_dsn(item.key))
        is_reply_lost = rank == DELIVERED and world.happens(0.04)
        if rank == DELIVERED:
            world.truth.delivered(End(self.machine.node, pid, is_reply_lost), item.key, part, why_again)
        self.clock.note(self.machine.node, "next hop", item.key, part, rank)
        if is_reply_lost:
            self.clock.counts["reply of the next hop lost"] += 1
            rank = QUEUED
        if pid == self.machine.pid:
            slowest = 1_000 * MS if self.clock.happens(0.1) else 3 * MS
            self.machine.later(self.clock.between(MS // 10, slowest), self._record, item, part, value, rank)

    def _record(self, item: Item, part: bytes, value: PartValue, rank: int) -> None:
        """Submit what came of an attempt; a bounce and its DSN go together, the DSN first."""
        machine = self.machine
        if rank < DEFERRED:
            rank = DEFERRED
        if rank == BOUNCED and is_dsn(item.key):
            rank = CANCELLED
        due = machine.wall_ms() + self.clock.between(200, 900) if rank == DEFERRED else 0
        value = PartValue(rank, value.attempts + 1, machine.hybrid_ms(), due, b"reply")
        outcome = Record(Kind.PART, item.key, put=item.put, parts=((part, value),))
        transactions = self.bounce(item.key, part, outcome) if rank == BOUNCED else ((outcome,),)
        if self._is_last(item.key, part, rank) and self.clock.happens(0.5):  # else the member says so itself
            *earlier, last = transactions
            transactions = (*earlier, (*last, Record(Kind.DONE, item.key, put=item.put)))
        self._submit(transactions, (item.key, part))

    def _is_last(self, key: bytes, part: bytes, rank: int) -> bool:
        item = self.machine.disk.items.get(key)
        return (
            rank >= TERMINAL
            and item is not None
            and all(value.rank >= TERMINAL for name, value in item.parts.items() if name != part)
        )

    def bounce(self, key: bytes, part: bytes, outcome: Record) -> tuple[tuple[Record, ...], ...]:
        """Return the transactions of a bounce: one, with the DSN before the state that relies on it."""
        self.clock.counts["bounce"] += 1
        name, now = dsn_key(key, part, self.machine.incarnation), self.machine.wall_ms()
        parts = ((b"sender", PartValue(QUEUED, 0, self.machine.hybrid_ms(), now, b"")),)
        return ((Record(Kind.PUT, name, parts=parts, meta=b"dsn", blob=b"blob of " + name), outcome),)

    def _submit(self, transactions: tuple[tuple[Record, ...], ...], what: tuple[bytes, bytes]) -> None:
        *earlier, last = transactions
        for records in earlier:
            self._tell(records, lambda _: None)
        self._tell(last, lambda _: self._end_attempt(what))

    def _end_attempt(self, what: tuple[bytes, bytes]) -> None:
        self.in_flight.discard(what)
        self._say_if_drained()

    def _tell(self, records: tuple[Record, ...], told: Tell) -> None:
        self.machine.submit(self.clock.number(), records, told)

"""The simulated witness: its process, its small disk, and the wires to it, on which requests are lost, late, reordered.

Where there is a witness, time is told by clocks that differ in rate and in offset, each machine by its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.events import WitnessSaid
from replicator.core.grants import Ask, Granted, Reply, Request
from replicator.core.lease import RATE_ERROR_PPM, promised_for
from replicator.core.values import Role
from replicator.core.witness import NO_GRANT, Grant, Keep, Requested, Witness
from tests.simulation.clock import MS, SECOND, Clock, Violation

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World

OWNER_ROLES = (Role.ACTIVE, Role.DRAINING)
PPM = 1_000_000


class LocalClock:
    """CLOCK_BOOTTIME of one machine: it runs on in a suspend."""

    def __init__(self, clock: Clock, *, is_exact: bool) -> None:
        self.clock = clock
        self.rate_ppm = 0 if is_exact else clock.chance.choice((-RATE_ERROR_PPM, 0, RATE_ERROR_PPM))
        self.offset = 0 if is_exact else clock.between(0, 1_000 * SECOND)
        self.asleep = 0  # how long the machine has been suspended
        self._stopped_at: int | None = None

    def now(self) -> int:
        now = self.clock.now if self._stopped_at is None else self._stopped_at
        return self.offset + now + now * self.rate_ppm // PPM

    def stop(self) -> None:
        """Stand still: what a machine that is held by its host sees."""
        self._stopped_at = self.clock.now

    def go_on(self) -> None:
        """Go on, and never make up for it."""
        if self._stopped_at is not None:
            self.offset -= self.clock.now - self._stopped_at
            self._stopped_at = None


class WitnessHost:
    """The witness of a history; the member's side of the wires asks it and is told."""

    def __init__(self, world: World, lease: int) -> None:
        self.world = world
        self.clock = world.clock
        self.lease = lease
        self.local = LocalClock(world.clock, is_exact=False)
        self.kept: Grant = NO_GRANT
        self.is_up = False
        self.is_cut = [False, False]  # by node
        self.extra_delay_max = 0
        self.unsettled_until = 0  # for so long it may deny what it would otherwise grant
        self.renewed_late_at = 0  # when it last granted something to a process that had ended meanwhile
        self._crash_in = -1
        self._owners: dict[int, int] = {}  # by epoch
        self.start()

    # --- its life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        if not self.is_up:
            self.is_up = True
            self._crash_in = -1
            self.unsettled_until = self.clock.now + 2 * promised_for(self.lease)
            self.core = Witness(self.kept, self.lease, self.local.now())

    def crash(self, down_for: int) -> None:
        if self.is_up and not self.world.is_healed:
            self.is_up = False
            self.world.disturb()
            self.clock.note("w", "the witness ends")
            self.clock.counts["witness ended"] += 1
            self.clock.after(down_for, self.start)

    def crash_soon(self, effects: int) -> None:
        """Die before carrying out the effect that comes after so many."""
        self._crash_in = effects

    def mend(self) -> None:
        self.is_cut = [False, False]
        self.extra_delay_max = 0

    def heal(self) -> None:
        self.mend()
        self._crash_in = -1
        self.start()

    def helps(self, node: int) -> bool:
        """Tell whether a member that asks now gets what is free."""
        is_settled = self.clock.now >= self.unsettled_until
        return self.is_up and is_settled and not self.is_cut[node] and not self.extra_delay_max

    # --- the wires ----------------------------------------------------------------------------------------

    def _delay(self) -> int:
        return self.clock.between(MS // 10, 2 * MS) + self.clock.between(0, self.extra_delay_max)

    def ask(self, machine: Machine, request: Request) -> None:
        self.clock.after(self._delay(), self._come, machine, request)

    def _come(self, machine: Machine, request: Request) -> None:
        if not self.is_up or self.is_cut[machine.node]:
            return
        for effect in self.core.step(self.local.now(), Requested(0, request)):
            if self._crash_in == 0:
                self.crash(self.clock.between(20 * MS, 1_500 * MS))
                return
            self._crash_in -= 1
            self.clock.log.append((self.clock.now, "w", effect))
            if isinstance(effect, Keep):
                self.kept = effect.grant
            elif effect.reply is not None:
                self._look(machine, request, effect.reply)
                self.clock.after(self._delay(), self._told, machine, effect.reply)

    def _told(self, machine: Machine, reply: Reply) -> None:
        if not self.is_cut[machine.node]:
            machine.take(WitnessSaid(reply))

    # --- what must hold -----------------------------------------------------------------------------------

    def _look(self, machine: Machine, request: Request, reply: Reply) -> None:
        """S6 at a grant: it says that nobody else may own, if the member that asked would still use it."""
        self.clock.counts[f"witness {type(reply).__name__.lower()}"] += 1
        if not isinstance(reply, Granted) or not isinstance(request, Ask):
            return
        if not machine.is_alive or request.incarnation != machine.incarnation:
            self.renewed_late_at = self.clock.now
            return
        votes, now = machine.member._ownership._votes, machine.local.now()  # type: ignore[attr-defined]
        asked_at = votes._asked.get(request.ticket)
        is_of_use = asked_at is not None and votes.counted_from(asked_at, reply.lease, now) > now
        if is_of_use and request.generation == votes.generation:
            self.check(machine.node, "is granted the lease")

    def check(self, node: int, what: str) -> None:
        """S6: whoever else may own at this real moment must not exist."""
        for machine in self.world.machines:
            if machine.node != node and may_own(machine):
                raise Violation("S6", f"node {node} {what}, and node {machine.node} may own as well")

    def became_active(self, machine: Machine, epoch: int) -> None:
        """S6 when a member begins to own, and S8: an epoch has one owner."""
        self.check(machine.node, "begins to own")
        if self._owners.setdefault(epoch, machine.node) != machine.node:
            raise Violation("S8", f"epoch {epoch} is used by both nodes")

    def final_dot(self, machine: Machine) -> None:
        """S6 and S7 at a final dot."""
        if not may_own(machine):
            raise Violation("S7", f"node {machine.node} ends a message with the dot after its lease")
        self.check(machine.node, "ends a message with the dot")


def may_own(machine: Machine) -> bool:
    """Tell whether a process, be it paused, would deliver if it looked at its clock at this moment."""
    if not machine.is_alive or machine.member.role not in OWNER_ROLES:
        return False
    return machine.member._ownership.holds_until() > machine.local.now()  # type: ignore[attr-defined]

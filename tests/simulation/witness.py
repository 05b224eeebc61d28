"""The simulated witness: its process, its small disk, and the wires to it, on which requests are lost, late, reordered.

Where there is a witness, time is told by clocks that differ in rate and in offset, each machine by its own.
"""

from __future__ import annotations

from collections.abc import Callable
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

    def now(self) -> int:
        return self.offset + self.clock.now + self.clock.now * self.rate_ppm // PPM


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
        self._crash_in = -1
        self._owners: dict[int, int] = {}  # by epoch
        self.menu: dict[str, Callable[[], None]] = {
            "witness restart": self._restart,
            "witness crash at an effect": self._crash_soon,
            "witness slow": self._slow,
            "cut from the witness": self._cut,
            "isolate the owner": self._isolate,
            "live by consent": self._live_by_consent,
            "suspend": self._suspend,
        }
        self.start()

    # --- its life -----------------------------------------------------------------------------------------

    def start(self) -> None:
        if not self.is_up:
            self.is_up = True
            self._crash_in = -1
            self.unsettled_until = self.clock.now + 2 * promised_for(self.lease)
            self.core = Witness(self.kept, self.lease, self.local.now())

    def crash(self) -> None:
        if self.is_up and not self.world.is_healed:
            self.is_up = False
            self.world.disturb()
            self.clock.note("w", "the witness ends")
            self.clock.counts["witness ended"] += 1
            self.clock.after(self.clock.between(20 * MS, 1_500 * MS), self.start)

    def heal(self) -> None:
        self.is_cut = [False, False]
        self.extra_delay_max = 0
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
                self.crash()
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
        if not isinstance(reply, Granted) or not isinstance(request, Ask) or not machine.is_alive:
            return
        votes = machine.member._ownership._votes  # type: ignore[attr-defined]
        if (request.incarnation, request.generation) == (machine.incarnation, votes.generation):
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

    # --- faults -------------------------------------------------------------------------------------------

    def _restart(self) -> None:
        for _ in range(self.clock.chance.choice((1, 1, 3))):
            self.clock.after(self.clock.between(0, 2 * SECOND), self.crash)

    def _crash_soon(self) -> None:
        self._crash_in = self.clock.chance.randrange(3)

    def _slow(self) -> None:
        self.extra_delay_max = self.clock.between(300 * MS, 3_500 * MS)
        self.clock.after(self.clock.between(SECOND, 4 * SECOND), self._mend)

    def _cut(self) -> None:
        for node in self.clock.chance.choice(((0,), (1,), (0, 1))):
            self.is_cut[node] = True
        self.clock.after(self.clock.between(300 * MS, 6 * SECOND), self._mend)

    def _isolate(self) -> None:
        """Cut the owner off from its peer, then from the witness too, until its lease has run out."""
        self.world.network.cut((0, 1))
        alone_at = self.lease + self.clock.between(0, SECOND)
        self.clock.after(alone_at, self._cut_owner)
        self.clock.after(alone_at + self.lease + self.clock.between(200 * MS, SECOND), self._mend_all)

    def _live_by_consent(self) -> None:
        """Let the owner live by its peer's word alone, then cut it off from the peer, which may die and come again."""
        self._cut_owner()
        alone_at = self.lease + self.clock.between(100 * MS, SECOND)
        self.clock.after(alone_at, self._leave_alone, self.clock.happens(0.5))
        self.clock.after(alone_at + self.lease + self.clock.between(200 * MS, SECOND), self._mend_all)

    def _leave_alone(self, is_peer_killed: bool) -> None:
        if self.world.is_healed:
            return
        self.world.network.cut((0, 1))
        for machine in self.world.machines:
            if is_peer_killed and machine.role == Role.PASSIVE:
                machine.crash("killed")

    def _cut_owner(self) -> None:
        for machine in self.world.machines:
            if machine.role == Role.ACTIVE and not self.world.is_healed:
                self.is_cut[machine.node] = True

    def _mend_all(self) -> None:
        self._mend()
        self.world.network.heal()

    def _mend(self) -> None:
        self.world.disturb()
        self.is_cut = [False, False]
        self.extra_delay_max = 0

    def _suspend(self) -> None:
        machine = self.world.machines[self.clock.chance.randrange(2)]
        duration = self.clock.between(500 * MS, 5 * SECOND)
        if machine.is_answering:
            self.clock.counts["suspended"] += 1
            machine.pause(duration)
            machine.local.asleep += duration


def may_own(machine: Machine) -> bool:
    """Tell whether a process, be it paused, would deliver if it looked at its clock at this moment."""
    if not machine.is_alive or machine.member.role not in OWNER_ROLES:
        return False
    return machine.member._ownership.holds_until() > machine.local.now()  # type: ignore[attr-defined]

"""What goes wrong, and what the operator does meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from replicator.core.values import Role
from tests.simulation.clock import MS, SECOND

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World


class Faults:
    """The menu, and what a seed takes from it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.clock = world.clock
        self.menu: dict[str, Callable[[], None]] = {
            "kill": self._kill,
            "kill the owner": self._kill_owner,
            "power loss of both": self._kill_both,
            "crash at an effect": self._crash_at_effect,
            "pause": self._pause,
            "cut": lambda: self._cut((0, 1)),
            "cut one way": lambda: self._cut((self.clock.chance.randrange(2),)),
            "link reset": self._reset,
            "slow link": self._slow_link,
            "lossy link": self._lossy_link,
            "slow disk": self._slow_disk,
            "commit failure": self._commit_failure,
            "wipe": self._wipe,
            "restore": self._restore,
            "switchover": lambda: self._command("switchover"),
            "promote": lambda: self._command("promote"),
            "wall clock": self._wall_clock,
        }
        if world.witness is not None:
            self.menu.update(world.witness.menu)
        self._is_over = False

    def plan(self, until: int) -> None:
        plan, clock = self.world.plan, self.clock
        names = plan.menu or tuple(self.menu)
        first = min(until // 4, 3 * SECOND)
        for _ in range(clock.chance.randint(min(1, plan.faults_max), plan.faults_max)):
            name = clock.chance.choice(names)
            clock.at(clock.between(first // 4, until), self._inject, name)
        for machine in self.world.machines:
            for _ in range(clock.chance.choice((1, 1, 5))):
                clock.at(clock.between(SECOND // 2, 3 * until // 4), machine.disk.back_up)

    def end(self) -> None:
        self._is_over = True

    def _inject(self, name: str) -> None:
        if not self._is_over:
            self.clock.note("-", "fault", name)
            self.clock.counts[f"fault {name}"] += 1
            self.world.disturb()
            self.menu[name]()

    def _any(self) -> Machine:
        return self.world.machines[self.clock.chance.randrange(2)]

    def _owner(self) -> Machine:
        for machine in self.world.machines:
            if machine.role == Role.ACTIVE and machine.is_alive:
                return machine
        return self._any()

    # --- processes ----------------------------------------------------------------------------------------

    def _kill(self) -> None:
        self._any().crash("killed", is_power_lost=self.clock.happens(0.3))

    def _kill_owner(self) -> None:
        self._owner().crash("killed", is_power_lost=self.clock.happens(0.3))

    def _kill_both(self) -> None:
        for machine in self.world.machines:
            machine.crash("power", is_power_lost=True)

    def _crash_at_effect(self) -> None:
        self._any().crash_soon(self.clock.chance.randrange(25))

    def _pause(self) -> None:
        machine = self._owner() if self.clock.happens(0.5) else self._any()
        machine.pause(self.clock.between(*self.clock.chance.choice(((50 * MS, 250 * MS), (150 * MS, 3_500 * MS)))))

    # --- the link -----------------------------------------------------------------------------------------

    def _cut(self, senders: tuple[int, ...]) -> None:
        self.world.network.cut(senders)
        self.clock.after(self.clock.between(100 * MS, 4 * SECOND), self._mend)

    def _mend(self) -> None:
        self.clock.note("-", "the link is mended")
        self.world.disturb()
        self.world.network.heal()

    def _reset(self) -> None:
        for _ in range(self.clock.chance.choice((1, 1, 4))):
            self.clock.after(self.clock.between(0, SECOND), self.world.network.reset)

    def _slow_link(self) -> None:
        self.world.network.extra_delay_max = self.clock.between(100 * MS, 1_500 * MS)
        self.clock.after(self.clock.between(300 * MS, 2 * SECOND), self._mend)

    def _lossy_link(self) -> None:
        self.world.network.loss = 0.3
        self.clock.after(self.clock.between(300 * MS, 2 * SECOND), self._mend)

    # --- disks --------------------------------------------------------------------------------------------

    def _slow_disk(self) -> None:
        machine = self._any()
        machine.disk.slow_until = self.clock.now + self.clock.between(200 * MS, 3 * SECOND)
        machine.disturbed_at = max(machine.disturbed_at, machine.disk.slow_until)

    def _commit_failure(self) -> None:
        self._any().disk.fail_next()

    def _wipe(self) -> None:
        machine = self._any()
        machine.crash("its disk is destroyed", is_power_lost=True)
        machine.disk.wipe()

    def _restore(self) -> None:
        """Put an old image back: a backup, or what a virtual machine was rolled back to moments later."""
        machine = self._any()
        if self.clock.happens(0.5):
            machine.disk.back_up()
            self.clock.after(self.clock.between(50 * MS, 900 * MS), self._roll_back, machine)
        else:
            self._roll_back(machine)

    def _roll_back(self, machine: Machine) -> None:
        if machine.disk.has_backup and not self._is_over:
            self.world.disturb()
            machine.crash("an old image is put back", is_power_lost=self.clock.happens(0.5))
            machine.disk.restore()

    # --- people -------------------------------------------------------------------------------------------

    def _command(self, verb: str) -> None:
        machine = self._owner() if verb == "switchover" else self._any()
        machine.command(verb, is_forced=self.clock.happens(0.5))

    def _wall_clock(self) -> None:
        self._any().wall_skew_ms = self.clock.between(-2_000, 2_000)

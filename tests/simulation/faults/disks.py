"""Disks that are slow, that fail, that are lost, and that come back as they once were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.clock import MS, SECOND, Chance

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World


def _slow(world: World, chance: Chance) -> None:
    machine = world.any_of(chance)
    machine.disk.slow_until = world.clock.now + chance.between(200 * MS, 3 * SECOND)


def _commit_failure(world: World, chance: Chance) -> None:
    world.any_of(chance).disk.fail_next()


def _wipe(world: World, chance: Chance) -> None:
    machine = world.any_of(chance)
    machine.crash("its disk is destroyed", is_power_lost=True)
    machine.disk.wipe()


def _restore(world: World, chance: Chance) -> None:
    """Put an old image back: a backup, or what a virtual machine was rolled back to moments later."""
    machine = world.any_of(chance)
    is_power_lost = chance.happens(0.5)
    if chance.happens(0.5):
        machine.disk.back_up()
        world.clock.after(chance.between(50 * MS, 900 * MS), _roll_back, world, machine, is_power_lost)
    else:
        _roll_back(world, machine, is_power_lost)


def _roll_back(world: World, machine: Machine, is_power_lost: bool) -> None:
    if machine.disk.has_backup and not world.is_healed:
        world.disturb()
        machine.crash("an old image is put back", is_power_lost=is_power_lost)
        machine.disk.restore()


def _rot(world: World, chance: Chance) -> None:
    """Flip bits in what a node has stored. They are found by reads, or by the scrub that follows some day."""
    machine = world.any_of(chance)
    for _ in range(chance.choice((1, 1, 3))):
        machine.disk.rot(chance)
    if chance.happens(0.5):
        world.clock.after(chance.between(0, SECOND), machine.disk.scrub)


def _fill(world: World, chance: Chance) -> None:
    """Let a disk fill up to its reserve, or to the last page, and be emptied again."""
    machine = world.any_of(chance)
    machine.disk.free_permille = 30
    if chance.happens(0.5):
        world.clock.after(chance.between(50 * MS, SECOND), _take_the_rest, world, machine)
    world.clock.after(chance.between(SECOND, 4 * SECOND), _make_room, world, machine)


def _take_the_rest(world: World, machine: Machine) -> None:
    if not world.is_healed:
        machine.disk.free_permille = 0


def _make_room(world: World, machine: Machine) -> None:
    world.disturb()
    machine.disk.free_permille = 1000


MENU = {
    "bit flips": _rot,
    "disk full": _fill,
    "slow disk": _slow,
    "commit failure": _commit_failure,
    "wipe": _wipe,
    "restore": _restore,
}

"""What befalls a site and the wires to it, and what operators do when all is lost at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.values import Role
from tests.simulation.clock import MS, SECOND, Chance

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.site import Site
    from tests.simulation.world import World


def _site(world: World) -> Site:
    assert world.site is not None
    return world.site


# --- the site itself -----------------------------------------------------------------------------------------


def _kill(world: World, chance: Chance) -> None:
    _site(world).machine.crash("killed", is_power_lost=chance.happens(0.3))


def _crash_at_effect(world: World, chance: Chance) -> None:
    _site(world).machine.crash_soon(chance.randrange(25))


def _wipe(world: World, chance: Chance) -> None:
    _destroy(_site(world).machine)


def _destroy(machine: Machine) -> None:
    machine.crash("its disk is destroyed", is_power_lost=True)
    machine.disk.wipe()


def _leave(world: World, chance: Chance) -> None:
    """Let it be away until it is fed by a snapshot where the log is short."""
    _site(world).machine.go_away(chance.between(SECOND, 5 * SECOND))


def _slow_disk(world: World, chance: Chance) -> None:
    _site(world).machine.disk.slow_until = world.clock.now + chance.between(200 * MS, 3 * SECOND)


def _pause(world: World, chance: Chance) -> None:
    _site(world).machine.pause(chance.between(200 * MS, 3_500 * MS))


# --- the wires across the WAN --------------------------------------------------------------------------------


def _cut(world: World, chance: Chance) -> None:
    """Cut the site off from one member or both, perhaps one way."""
    members = chance.choice(((0,), (1,), (0, 1)))
    _cut_off(world, members, chance.choice(((0, 1), (0, 1), (0,), (1,))), chance.between(200 * MS, 4 * SECOND))


def _cut_feeder(world: World, chance: Chance) -> None:
    """Cut the site off from the passive, for long enough that the active feeds it."""
    passives = tuple(machine.node for machine in world.machines if machine.role is Role.PASSIVE)
    _cut_off(world, passives, (0, 1), chance.between(2 * SECOND, 5 * SECOND))


def _cut_off(world: World, members: tuple[int, ...], senders: tuple[int, ...], duration: int) -> None:
    for member in members:
        _site(world).wans[member].cut(senders)
    world.clock.after(duration, _mend, world)


def _mend(world: World) -> None:
    world.disturb()
    _site(world).heal()


# --- operators ------------------------------------------------------------------------------------------------


def _promote(world: World, chance: Chance) -> None:
    _site(world).promote(is_forced=chance.happens(0.5))


def _take_back(world: World, chance: Chance) -> None:
    world.any_of(chance).command("promote", is_forced=chance.happens(0.3))


def _lose_pair(world: World, chance: Chance) -> None:
    """Let both of the pair go, for long and perhaps with their disks, and promote the site meanwhile, or wait."""
    are_destroyed = chance.choice(((True, True), (False, False), (True, False), (False, True)))
    for machine, is_destroyed in zip(world.machines, are_destroyed, strict=True):
        machine.go_away(chance.between(2 * SECOND, 6 * SECOND))
        if is_destroyed:
            machine.disk.wipe()
    if chance.happens(0.7):
        world.clock.after(chance.between(100 * MS, 1_500 * MS), _promote_by_force, world)


def _promote_by_force(world: World) -> None:
    if not world.is_healed:
        world.disturb()
        _site(world).promote(is_forced=True)


MENU = {
    "site killed": _kill,
    "site crash at an effect": _crash_at_effect,
    "site wiped": _wipe,
    "site away": _leave,
    "site slow disk": _slow_disk,
    "site paused": _pause,
    "site cut off": _cut,
    "feeder cut off from the site": _cut_feeder,
    "site promoted": _promote,
    "taken back from the site": _take_back,
    "pair lost": _lose_pair,
}

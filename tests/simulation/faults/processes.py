"""Processes that die, and processes that stand still."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.clock import MS, Chance

if TYPE_CHECKING:
    from tests.simulation.world import World


def _kill(world: World, chance: Chance) -> None:
    world.any_of(chance).crash("killed", is_power_lost=chance.happens(0.3))


def _kill_owner(world: World, chance: Chance) -> None:
    world.owner_or_any(chance).crash("killed", is_power_lost=chance.happens(0.3))


def _kill_both(world: World, chance: Chance) -> None:
    for machine in world.machines:
        machine.crash("power", is_power_lost=True)


def _crash_at_effect(world: World, chance: Chance) -> None:
    world.any_of(chance).crash_soon(chance.randrange(25))


def _pause(world: World, chance: Chance) -> None:
    machine = world.owner_or_any(chance) if chance.happens(0.5) else world.any_of(chance)
    machine.pause(chance.between(*chance.choice(((50 * MS, 250 * MS), (150 * MS, 3_500 * MS)))))


def _hold_machine(world: World, chance: Chance) -> None:
    """Let a virtual machine stand still with its clock: it does not know that time went by."""
    if world.witness is None:  # a lease is measured by a clock that runs
        world.clock.counts["clock stopped"] += 1
        world.owner_or_any(chance).pause(chance.between(300 * MS, 5_000 * MS), is_clock_stopped=True)


MENU = {
    "hold the machine": _hold_machine,
    "kill": _kill,
    "kill the owner": _kill_owner,
    "power loss of both": _kill_both,
    "crash at an effect": _crash_at_effect,
    "pause": _pause,
}

"""What people do, at the worst of moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.events import Answer
from replicator.core.values import Flags, Item, Kind, Record, Role
from tests.simulation.clock import MS, SECOND, Chance
from tests.simulation.ranks import FREE, HELD

if TYPE_CHECKING:
    from tests.simulation.machine import Machine
    from tests.simulation.world import World


def _switchover(world: World, chance: Chance) -> None:
    world.owner_or_any(chance).command("switchover", is_forced=chance.happens(0.5))


def _promote(world: World, chance: Chance) -> None:
    world.any_of(chance).command("promote", is_forced=chance.happens(0.5))


def _wall_clock(world: World, chance: Chance) -> None:
    world.any_of(chance).wall_skew_ms = chance.between(-2_000, 2_000)


def _demote(world: World, chance: Chance) -> None:
    world.owner_or_any(chance).command("demote", is_forced=chance.happens(0.5))


def _hold(world: World, chance: Chance) -> None:
    """Hold some items, and let go of them later, perhaps on the other node and by its clock."""
    for _ in range(chance.randrange(1, 4)):
        _write_flags(world.any_of(chance), HELD, chance)
    for _ in range(chance.randrange(1, 4)):
        machine = world.any_of(chance)
        world.clock.after(chance.between(MS, 2 * SECOND), _write_flags, machine, FREE, chance)


def _write_flags(machine: Machine, data: bytes, chance: Chance) -> None:
    """Write the register of some item that is held, or is not, on that node."""
    items = [item for item in machine.disk.in_order() if (item.flags.data == HELD) == (data == FREE)]
    if items and machine.is_answering:
        _submit_flags(machine, chance.choice(items), data)


def _submit_flags(machine: Machine, item: Item, data: bytes) -> None:
    flags = Flags(max(machine.hybrid_ms(), item.flags.hlc + 1), data)
    machine.clock.counts["held" if data == HELD else "let go"] += 1
    record = Record(Kind.FLAGS, item.key, put=item.put, flags=flags)
    machine.submit(machine.clock.number(), (record,), _no_matter)


def _no_matter(answer: Answer | None) -> None:
    """An operator looks at the queue, not at the answer."""


def release_all(world: World) -> None:
    """Let go of everything that is held, again and again: a hold may still be on its way."""
    for machine in world.machines:
        if machine.role == Role.ACTIVE and machine.is_answering:
            for item in machine.disk.in_order():
                if item.flags.data == HELD:
                    _submit_flags(machine, item, FREE)
    world.clock.after(SECOND, release_all, world)


def promote_one(world: World) -> None:
    """Let a node own again where none does so by itself: it was demoted, or all authority is the operator's."""
    if not any(machine.role == Role.ACTIVE for machine in world.machines):
        for machine in world.machines:
            if machine.is_answering and machine.waits_for_operator():
                world.clock.counts["an operator ends a time without owner"] += 1
                machine.command("promote")
                break
    world.clock.after(SECOND, promote_one, world)


MENU = {
    "demote": _demote,
    "hold": _hold,
    "switchover": _switchover,
    "promote": _promote,
    "wall clock": _wall_clock,
}

"""What people do, at the worst of moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.clock import Chance

if TYPE_CHECKING:
    from tests.simulation.world import World


def _switchover(world: World, chance: Chance) -> None:
    world.owner_or_any(chance).command("switchover", is_forced=chance.happens(0.5))


def _promote(world: World, chance: Chance) -> None:
    world.any_of(chance).command("promote", is_forced=chance.happens(0.5))


def _wall_clock(world: World, chance: Chance) -> None:
    world.any_of(chance).wall_skew_ms = chance.between(-2_000, 2_000)


MENU = {
    "switchover": _switchover,
    "promote": _promote,
    "wall clock": _wall_clock,
}

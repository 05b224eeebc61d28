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


def _demote(world: World, chance: Chance) -> None:
    """Have the owner step down, once in a history: two that were, and did not hear of each other, wait for an order."""
    if not world.clock.counts["demoted"]:
        world.owner_or_any(chance).command("demote")


ORDERS = {"demote": _demote}  # that no seed draws by itself: a plan names them
MENU = {
    "switchover": _switchover,
    "promote": _promote,
    "wall clock": _wall_clock,
}

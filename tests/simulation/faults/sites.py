"""What befalls a site and the wires to it, and what operators do when all is lost at home."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.clock import Chance

if TYPE_CHECKING:
    from tests.simulation.site import Site
    from tests.simulation.world import World


def _site(world: World) -> Site:
    assert world.site is not None
    return world.site


def _kill(world: World, chance: Chance) -> None:
    _site(world).machine.crash("killed", is_power_lost=chance.happens(0.3))


MENU = {
    "site killed": _kill,
}

"""What befalls the link between the nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.clock import MS, SECOND, Chance

if TYPE_CHECKING:
    from tests.simulation.world import World


def _cut(world: World, chance: Chance) -> None:
    world.network.cut((0, 1))
    _mend_after(world, chance.between(100 * MS, 4 * SECOND))


def _cut_one_way(world: World, chance: Chance) -> None:
    world.network.cut((chance.randrange(2),))
    _mend_after(world, chance.between(100 * MS, 4 * SECOND))


def _reset(world: World, chance: Chance) -> None:
    for _ in range(chance.choice((1, 1, 4))):
        world.clock.after(chance.between(0, SECOND), world.network.reset)


def _slow(world: World, chance: Chance) -> None:
    world.network.extra_delay_max = chance.between(100 * MS, 1_500 * MS)
    _mend_after(world, chance.between(300 * MS, 2 * SECOND))


def _lossy(world: World, chance: Chance) -> None:
    world.network.loss = 0.3
    _mend_after(world, chance.between(300 * MS, 2 * SECOND))


def _mend_after(world: World, delay: int) -> None:
    world.clock.after(delay, mend, world)


def mend(world: World) -> None:
    """Let everything through again."""
    world.clock.note("-", "the link is mended")
    world.disturb()
    world.network.heal()


MENU = {
    "cut": _cut,
    "cut one way": _cut_one_way,
    "link reset": _reset,
    "slow link": _slow,
    "lossy link": _lossy,
}

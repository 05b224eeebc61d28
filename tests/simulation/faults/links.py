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


def _flap(world: World, chance: Chance) -> None:
    """Let the link, or one way of it, go and come many times."""
    when = 0
    for _ in range(chance.randrange(3, 8)):
        when += chance.between(20 * MS, 600 * MS)
        world.clock.after(when, _cut_now, world, chance.choice(((0, 1), (0,), (1,))))
        when += chance.between(20 * MS, 900 * MS)
        _mend_after(world, when)


def _cut_now(world: World, senders: tuple[int, ...]) -> None:
    if not world.is_healed:
        world.disturb()
        world.network.cut(senders)


def _clog(world: World, chance: Chance) -> None:
    """Stop every wire one by one, and let them go again in another order."""
    wires = list(world.wires)
    for way in (world.clog, world.unclog):
        chance.shuffle(wires)
        first = 0 if way == world.clog else 2 * SECOND
        for wire in wires:
            world.clock.after(first + chance.between(0, 2 * SECOND), way, *wire)


def _cut_clients(world: World, chance: Chance) -> None:
    node = chance.randrange(2)
    world.clients.is_cut[node] = True
    world.clock.after(chance.between(200 * MS, 3 * SECOND), _reach_clients, world, node)


def _reach_clients(world: World, node: int) -> None:
    world.clients.is_cut[node] = False


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
    "flapping link": _flap,
    "swizzle-clog": _clog,
    "cut from the clients": _cut_clients,
}

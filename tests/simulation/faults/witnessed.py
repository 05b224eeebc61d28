"""What befalls the witness, the wires to it, and machines whose clock runs on while they sleep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.values import Role
from tests.simulation.clock import MS, SECOND, Chance

if TYPE_CHECKING:
    from tests.simulation.witness import WitnessHost
    from tests.simulation.world import World


def _host(world: World) -> WitnessHost:
    assert world.witness is not None
    return world.witness


def _restart(world: World, chance: Chance) -> None:
    for _ in range(chance.choice((1, 1, 3))):
        world.clock.after(chance.between(0, 2 * SECOND), _host(world).crash, chance.between(20 * MS, 1_500 * MS))


def _crash_at_effect(world: World, chance: Chance) -> None:
    _host(world).crash_soon(chance.randrange(3))


def _slow(world: World, chance: Chance) -> None:
    _host(world).extra_delay_max = chance.between(300 * MS, 3_500 * MS)
    world.clock.after(chance.between(SECOND, 4 * SECOND), _mend, world)


def _cut(world: World, chance: Chance) -> None:
    for node in chance.choice(((0,), (1,), (0, 1))):
        _host(world).is_cut[node] = True
    world.clock.after(chance.between(300 * MS, 6 * SECOND), _mend, world)


def _isolate(world: World, chance: Chance) -> None:
    """Cut the owner off from its peer, then from the witness too, until its lease has run out."""
    world.network.cut((0, 1))
    alone_at = _host(world).lease + chance.between(0, SECOND)
    world.clock.after(alone_at, _cut_owner, world)
    world.clock.after(alone_at + _host(world).lease + chance.between(200 * MS, SECOND), _mend_all, world)


def _live_by_consent(world: World, chance: Chance) -> None:
    """Let the owner live by its peer's word alone, then cut it off from the peer, which may die and come again."""
    _cut_owner(world)
    alone_at = _host(world).lease + chance.between(100 * MS, SECOND)
    world.clock.after(alone_at, _leave_alone, world, chance.happens(0.5))
    world.clock.after(alone_at + _host(world).lease + chance.between(200 * MS, SECOND), _mend_all, world)


def _leave_alone(world: World, is_peer_killed: bool) -> None:
    if world.is_healed:
        return
    world.network.cut((0, 1))
    for machine in world.machines:
        if is_peer_killed and machine.role == Role.PASSIVE:
            machine.crash("killed")


def _cut_owner(world: World) -> None:
    for machine in world.machines:
        if machine.role == Role.ACTIVE and not world.is_healed:
            _host(world).is_cut[machine.node] = True


def _mend_all(world: World) -> None:
    _mend(world)
    world.network.heal()


def _mend(world: World) -> None:
    world.disturb()
    _host(world).mend()


def _suspend(world: World, chance: Chance) -> None:
    machine = world.any_of(chance)
    duration = chance.between(500 * MS, 5 * SECOND)
    if machine.is_answering:
        world.clock.counts["suspended"] += 1
        machine.pause(duration)
        machine.local.asleep += duration


MENU = {
    "witness restart": _restart,
    "witness crash at an effect": _crash_at_effect,
    "witness slow": _slow,
    "cut from the witness": _cut,
    "isolate the owner": _isolate,
    "live by consent": _live_by_consent,
    "suspend": _suspend,
}

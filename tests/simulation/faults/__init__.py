"""What goes wrong, and what operators do meanwhile: the menu from which seeds draw.

A fault is a function of the world and of its own source of chance.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from replicator.core.values import Mode
from tests.simulation.clock import Chance
from tests.simulation.faults import disks, links, operators, processes, sites, witnessed

if TYPE_CHECKING:
    from tests.simulation.world import World

Fault = Callable[["World", Chance], None]

_PAIR: dict[str, Fault] = {**processes.MENU, **links.MENU, **disks.MENU, **operators.MENU}
_ALL: dict[str, Fault] = {**_PAIR, **witnessed.MENU, **sites.MENU}


def names(authority: Mode, *, has_site: bool) -> tuple[str, ...]:
    """Return what a seed may draw under that authority, for a pair alone or with a site."""
    witnessed_too = tuple(witnessed.MENU) if authority is Mode.WITNESS else ()
    return (*_PAIR, *witnessed_too, *(sites.MENU if has_site else ()))


def inject(world: World, name: str, seed: int) -> None:
    """Let a fault happen now, unless everything is healed already."""
    if not world.is_healed:
        world.clock.note("-", "fault", name)
        world.clock.counts[f"fault {name}"] += 1
        world.disturb()
        _ALL[name](world, Chance(seed))

"""What scripts may ask beside their facts; the compiler looks for it when a script is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mtad.dns.asking import Names, NobodyAsked
from mtad.maps.answer import Map

Library = Callable[[str, str], str | None]
"""Gives the text of a script that another includes, by where it is ("personal" or "global") and its name."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The maps, by the names that scripts write behind "map:"; DNS; the scripts that can be included."""

    maps: Mapping[str, Map] = field(default_factory=dict)
    names: Names = field(default_factory=NobodyAsked)
    scripts: Library | None = None


NOTHING = Outside()

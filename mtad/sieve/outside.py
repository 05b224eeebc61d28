"""What scripts may ask beside their facts; the compiler looks for it when a script is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtad.maps.answer import Map


@dataclass(frozen=True, slots=True)
class Outside:
    """The maps, by the names that scripts write behind "map:"."""

    maps: Mapping[str, Map] = field(default_factory=dict)


NOTHING = Outside()

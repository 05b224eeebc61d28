"""What a run may ask beside the facts of its stage: doors that whoever runs a script opens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Doors:
    """Each is None where nothing stands behind it; a script that asks for it fails.

    clock   gives the time in the local zone
    """

    clock: Callable[[], datetime] | None = None


NO_DOORS = Doors()

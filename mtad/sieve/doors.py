"""What a run may ask beside the facts of its stage: doors that whoever runs a script opens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Sighting:
    """That something was seen (RFC 7352 §3): what, under which handle, and for how long that is remembered."""

    handle: str
    value: str
    seconds: int
    is_last: bool  # remembered so long since it was last seen, not since it was first seen


@dataclass(frozen=True, slots=True)
class Doors:
    """Each is None where nothing stands behind it; a script that asks for it fails.

    clock   gives the time in the local zone
    seen    tells whether it was seen before, and remembers it when the script ends well
    spam    gives how sure a scanner is that it is spam, in percent; None: it was not tested
    virus   gives 1 (clean) to 5 (infected, RFC 5235 §2.5); None: it was not tested
    """

    clock: Callable[[], datetime] | None = None
    seen: Callable[[Sighting], Awaitable[bool]] | None = None
    spam: Callable[[], int | None] | None = None
    virus: Callable[[], int | None] | None = None


NO_DOORS = Doors()

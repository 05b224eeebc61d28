"""What goes wrong in a round, and when: drawn from a seed and the round's number alone, so that it can be repeated."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

ROUNDS_PER_ERA = 4  # so many rounds use one laboratory
FIRST_FAULT_SECONDS = (2.0, 4.0)
AFTERMATH_SECONDS = 4.0  # the load goes on for so long after the last fault has ended
SECOND_FAULT_CHANCE = 0.4
MOOD_CHANCE = 0.6
TAKEOVER_LASTS_SECONDS = (5.0, 7.0)  # the active is away for so long in a round that measures a takeover

Authority = Literal["pair", "witness"]
"""By whose word the nodes own, as in mtad.toml."""


class Kind(StrEnum):
    """A fault."""

    KILL_NODE = "kill-node"
    POWER_LOSS = "power-loss"
    KILL_SPOOL = "kill-spool"
    KILL_WORKER = "kill-worker"
    KILL_BOTH = "kill-both"
    RESTARTS = "restarts"
    WIPE = "wipe"
    PAUSE = "pause"
    CUT = "cut"
    CUT_ONE_WAY = "cut-one-way"
    TEAR = "tear"
    DELAY = "delay"
    THROTTLE = "throttle"
    DISK_FULL = "disk-full"
    READ_ONLY = "read-only"
    CLOCK = "clock"
    SWITCHOVER = "switchover"
    FORCE = "force"
    KILL_WITNESS = "kill-witness"
    CUT_WITNESS = "cut-witness"
    ISOLATE = "isolate"


LINK = frozenset({Kind.CUT, Kind.CUT_ONE_WAY, Kind.TEAR, Kind.DELAY, Kind.THROTTLE, Kind.POWER_LOSS})
DISK = frozenset({Kind.DISK_FULL, Kind.READ_ONLY})
NEEDS_WORKERS = frozenset({Kind.KILL_SPOOL, Kind.KILL_WORKER})
NEEDS_FORWARDER = frozenset({Kind.DELAY})
NEEDS_WITNESS = frozenset({Kind.KILL_WITNESS, Kind.CUT_WITNESS, Kind.ISOLATE})
STOPS_DELIVERY = frozenset({Kind.KILL_NODE, Kind.POWER_LOSS, Kind.PAUSE, Kind.WIPE, Kind.READ_ONLY, Kind.ISOLATE})
"""Done to the active node, these leave its queue to the other one."""
MAKES_TWO_OWNERS = LINK | {Kind.PAUSE, Kind.FORCE}
"""Without a witness."""
NEVER_TOGETHER: tuple[frozenset[Kind], ...] = (
    LINK | {Kind.ISOLATE},
    NEEDS_WITNESS,
    frozenset({Kind.WIPE, Kind.KILL_BOTH, Kind.RESTARTS, *DISK}),  # a wipe beside these may take the last copy
)
STRENGTHS: dict[Kind, tuple[float, ...]] = {
    Kind.DELAY: (0.05, 0.3, 1.0),  # seconds
    Kind.THROTTLE: (2_000.0, 20_000.0, 200_000.0),  # octets a second
    Kind.CLOCK: (-3600.0, -45.0, 20.0),  # seconds; how far ahead is how long retries may wait afterwards
}
LASTS_SECONDS: dict[Kind, tuple[float, float]] = {
    Kind.PAUSE: (0.3, 7.0),  # shorter and longer than the silence of 3 s that makes the passive take over
    Kind.CUT: (0.5, 7.0),
    Kind.CUT_ONE_WAY: (0.5, 7.0),
    Kind.TEAR: (0.5, 6.0),
    Kind.KILL_BOTH: (0.1, 3.0),
    Kind.SWITCHOVER: (1.0, 1.0),
    Kind.FORCE: (1.0, 1.0),
}
USUAL_LASTS_SECONDS = (0.2, 6.0)

MOODS: dict[str, tuple[str, ...]] = {
    "refuses": ("dot 451",),
    "hangs": ("after-dot hang",),
    "closes": ("after-dot close",),
    "is slow": ("delay 1.5",),
    "is slower than our patience": ("delay 3",),
}
CALM = ("dot 250", "after-dot reply", "delay 0")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is done to the pair."""

    kind: Kind
    at_seconds: float  # after the load has begun
    lasts_seconds: float
    victim: Literal["active", "passive"]
    strength: float = 0.0

    def __str__(self) -> str:
        strength = f" {self.strength:g}" if self.strength else ""
        return f"{self.kind}{strength} {self.victim} at {self.at_seconds:.1f} s for {self.lasts_seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Mood:
    """How the next hops answer for a while."""

    name: str
    at_seconds: float
    lasts_seconds: float

    def __str__(self) -> str:
        return f"the next hop {self.name} at {self.at_seconds:.1f} s for {self.lasts_seconds:.1f} s"


@dataclass(frozen=True, slots=True)
class Era:
    """How the nodes are built for some rounds."""

    workers: int
    has_false_clock: bool
    authority: Authority = "pair"
    has_namespaces: bool = False  # else all is on loopback


ERAS = (
    Era(2, False, "pair"),
    Era(2, False, "witness"),
    Era(2, True, "pair"),
    Era(0, False, "witness"),
    Era(2, False, "pair", has_namespaces=True),
    Era(2, True, "witness"),
    Era(0, False, "pair"),
    Era(2, False, "witness"),
)


@dataclass(frozen=True, slots=True)
class Round:
    """All that happens in one round."""

    seed: int
    number: int
    faults: tuple[Fault, ...]
    moods: tuple[Mood, ...]

    @property
    def authority(self) -> Authority:
        """By whose word the nodes own."""
        return era_of(self.number).authority

    @property
    def load_seconds(self) -> float:
        """How long clients send."""
        return max(fault.at_seconds + fault.lasts_seconds for fault in self.faults) + AFTERMATH_SECONDS

    def __str__(self) -> str:
        return "; ".join(str(each) for each in (*self.faults, *self.moods))


def era_of(number: int) -> Era:
    """Return how the nodes are built in a round."""
    return ERAS[number // ROUNDS_PER_ERA % len(ERAS)]


def draw(seed: int, number: int, kinds: Collection[Kind]) -> Round:
    """Draw a round: its first fault is one of those that came least often in the rounds before it.

    Every other round measures a takeover: the active node is taken away for long enough, and nothing else happens.
    """
    counts: Counter[Kind] = Counter()
    for earlier in range(number):
        counts[_first_kind(seed, earlier, kinds, counts)] += 1
    first = _first_kind(seed, number, kinds, counts)
    chance = random.Random(f"{seed}/{number}")
    at_seconds = chance.uniform(*FIRST_FAULT_SECONDS)
    if _is_takeover(number) and first in STOPS_DELIVERY:
        return Round(seed, number, (Fault(first, at_seconds, chance.uniform(*TAKEOVER_LASTS_SECONDS), "active"),), ())
    faults = [_fault(chance, first, at_seconds)]
    others = [kind for kind in _possible(number, kinds) if _may_meet(first, kind)]
    if others and chance.random() < SECOND_FAULT_CHANCE:
        faults.append(_fault(chance, chance.choice(others), faults[0].at_seconds + chance.uniform(0.0, 4.0)))
    moods = []
    if chance.random() < MOOD_CHANCE:
        moods.append(Mood(chance.choice(sorted(MOODS)), chance.uniform(0.5, 3.0), chance.uniform(0.5, 3.0)))
    return Round(seed, number, tuple(faults), tuple(moods))


def _is_takeover(number: int) -> bool:
    return number % 2 == 0


def _possible(number: int, kinds: Collection[Kind]) -> Sequence[Kind]:
    era = era_of(number)
    possible = [
        kind
        for kind in Kind
        if kind in kinds
        and (era.workers or kind not in NEEDS_WORKERS)
        and (era.has_false_clock or kind is not Kind.CLOCK)
        and (era.authority == "witness" or kind not in NEEDS_WITNESS)
        and not (era.has_namespaces and kind in NEEDS_FORWARDER)
    ]
    return possible or [Kind.KILL_NODE]


def _first_kind(seed: int, number: int, kinds: Collection[Kind], counts: Counter[Kind]) -> Kind:
    possible = _possible(number, kinds)
    if _is_takeover(number):
        possible = [kind for kind in possible if kind in STOPS_DELIVERY] or possible
    least = min(counts[kind] for kind in possible)
    return random.Random(f"{seed}:{number}").choice([kind for kind in possible if counts[kind] == least])


def _may_meet(first: Kind, second: Kind) -> bool:
    return first is not second and not any({first, second} <= group for group in NEVER_TOGETHER)


def _fault(chance: random.Random, kind: Kind, at_seconds: float) -> Fault:
    lasts = chance.uniform(*LASTS_SECONDS.get(kind, USUAL_LASTS_SECONDS))
    victim: Literal["active", "passive"] = "active" if chance.random() < 0.6 else "passive"
    return Fault(kind, at_seconds, lasts, victim, chance.choice(STRENGTHS.get(kind, (0.0,))))

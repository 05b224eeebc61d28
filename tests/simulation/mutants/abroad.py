"""Bugs in how a site is fed and kept apart, which no pair alone shows."""

from __future__ import annotations

from replicator.core.authority import Ownership
from replicator.core.events import Effect
from replicator.core.following import Following
from replicator.core.holding import Healing, Hold
from replicator.core.links import Links
from replicator.core.neighbour import Neighbour
from replicator.core.sites import Sites
from replicator.core.values import Vector
from tests.simulation.campaign import ABROAD, FOLLOWING, LOST_PAIRS, ROTTEN_ABROAD
from tests.simulation.mutants.planting import Mutant, Planting


def _promotes_itself(planting: Planting) -> None:
    def silence_allows(self: Following, now: int) -> bool:
        return not self.is_standing_back and now - self._quiet_since >= self._settings.site_silence

    planting.replace(Following, "silence_allows", silence_allows)


def _taken_back_by_silence(planting: Planting) -> None:
    planting.replace(Ownership, "is_abroad", False)


def _cut_unseen(planting: Planting) -> None:
    def cut(self: Sites, floors: Vector) -> None:
        return None

    planting.replace(Sites, "cut", cut)


def _counted_as_copy(planting: Planting) -> None:
    def believe(self: Links, neighbour: Neighbour, durable: Vector, now: int, out: list[Effect]) -> None:
        was(self, neighbour, durable, now, out)
        if neighbour.is_site:
            self._accept.settle(neighbour.peer.own_durable, out)

    was = planting.replace(Links, "_believe", believe)


def _nothing_comes_home(planting: Planting) -> None:
    def lags_long(self: Sites, far: Neighbour, now: int) -> bool:
        return False

    planting.replace(Sites, "_lags_long", lags_long)


def _damage_shipped(planting: Planting) -> None:
    def init(self: Hold, healing: Healing | None = None) -> None:
        was(self)

    was = planting.replace(Hold, "__init__", init)


MUTANTS = (
    Mutant("site-promotes-itself", 118, "a site owns when nobody is heard", ("S19",), 100, _promotes_itself, FOLLOWING),
    Mutant(
        "taken-back-by-silence",
        119,
        "a member that hears nobody takes back what an operator gave to a site",
        ("S18",),
        50,
        _taken_back_by_silence,
        LOST_PAIRS,
    ),
    Mutant("cut-before-the-site", 120, "the log is cut where the site lacks it", ("S15",), 10, _cut_unseen, FOLLOWING),
    Mutant("site-is-a-copy", 121, "the site's disk counts for the answer", ("S1",), 100, _counted_as_copy, ABROAD),
    Mutant(
        "nothing-comes-home",
        122,
        "a site that does not own ships back its own records alone",
        ("L3", "S2", "L1"),
        100,
        _nothing_comes_home,
        LOST_PAIRS,
    ),
    Mutant(
        "damage-is-shipped",
        123,
        "what is damaged here goes to a site as finished, and is not sent once it is healed",
        ("S5", "S9", "S10"),
        100,
        _damage_shipped,
        ROTTEN_ABROAD,
    ),
)

"""Bugs in leases: of the witness, of its askers, and of those who stand back."""

from __future__ import annotations

from typing import Any

from replicator.core import lease, votes, witness
from replicator.core.events import Settings
from replicator.core.grants import Release
from replicator.core.values import Mode
from replicator.core.votes import Votes
from replicator.core.witness import Grant, Witness
from tests.simulation.campaign import WITNESSED
from tests.simulation.clock import MS
from tests.simulation.mutants.planting import Mutant, Planting
from tests.simulation.runner import Runner
from tests.simulation.script import Plan
from tests.simulation.witness import LocalClock

LATE = Plan(authority=Mode.WITNESS, menu=("witness slow", "cut", "cut from the witness", "pause"))
EDGES = Plan(
    authority=Mode.WITNESS,
    menu=("isolate the owner",),
    faults_max=4,
    letters=(2, 4),
    trouble_seconds=10,
    beat=40 * MS,
)
ASLEEP = Plan(authority=Mode.WITNESS, menu=("suspend", "cut", "cut from the witness"))
FORGETFUL = Plan(authority=Mode.WITNESS, menu=("witness restart", "cut", "cut", "cut from the witness"), letters=(2, 4))
HANDED_BACK = Plan(
    authority=Mode.WITNESS,
    menu=("switchover", "switchover", "witness slow", "cut", "cut from the witness"),
    faults_max=8,
    letters=(2, 4),
)
DEAF = Plan(authority=Mode.WITNESS, menu=("live by consent",), faults_max=2, letters=(2, 4), trouble_seconds=10)


def _authority_unasked(planting: Planting) -> None:
    planting.replace(Runner, "may_finish", lambda self: True)


def _counted_from_reply(planting: Planting) -> None:
    planting.replace(Votes, "counted_from", lambda self, asked_at, length, now: now + length - lease.GUARD)


def _no_margin(planting: Planting) -> None:
    planting.replace(lease, "GUARD", 0)
    planting.replace(votes, "promised_for", lambda length: length)
    planting.replace(witness, "promised_for", lambda length: length)


def _clocks_beyond_the_error(planting: Planting) -> None:
    def now(self: LocalClock) -> int:
        return self.offset + self.clock.now + self.clock.now * self.rate_ppm * 100 // 1_000_000

    planting.replace(LocalClock, "now", now)


def _monotonic(planting: Planting) -> None:
    def now(self: LocalClock) -> int:
        return was(self) - self.asleep

    was = planting.replace(LocalClock, "now", now)


def _amnesia(planting: Planting) -> None:
    def begin(self: Any, grant: Grant, length: int, now: int) -> None:
        was(self, grant, length, now)
        self._quiet_until = now

    was = planting.replace(Witness, "__init__", begin)


def _forgotten_promise(planting: Planting) -> None:
    def begin(self: Any, settings: Settings, incarnation: int, now: int) -> None:
        was(self, settings, incarnation, now)
        self.bound_until = now

    was = planting.replace(Votes, "__init__", begin)


def _stale_grant(planting: Planting) -> None:
    """Neither generation nor life is looked at, and what was asked before a release counts after it."""

    def give_up(self: Any, heir: int, now: int) -> Release:
        asked = dict(self._asked)
        release = was(self, heir, now)
        self._asked = asked
        return release

    was = planting.replace(Votes, "give_up", give_up)
    planting.replace(Votes, "is_current", lambda self, reply: True)


def _stale_release(planting: Planting) -> None:
    planting.replace(Witness, "is_held_by", lambda self, release: release.node == self.grant.node)


def _unbound(planting: Planting) -> None:
    planting.replace(Votes, "stand_back", _consent_alone)


def _consent_alone(self: Any, plea: Any, ticket: int, now: int) -> None:
    self.consent = votes.Consent(plea.generation, ticket)


MUTANTS = (
    Mutant(
        "unasked-with-lease",
        17,
        "authority is not asked for before the dot",
        ("S7", "S6"),
        300,
        _authority_unasked,
        WITNESSED,
    ),
    Mutant("counted-from-reply", 18, "a lease counts from the answer", ("S6",), 1_000, _counted_from_reply, LATE),
    Mutant("no-margin", 19, "no margin for drift, no guard", ("S6",), 2_000, _no_margin, EDGES),
    Mutant("monotonic", 20, "the clock stands still in a suspend", ("S6", "S7"), 500, _monotonic, ASLEEP),
    Mutant("witness-amnesia", 21, "the witness forgets its promise at a restart", ("S6",), 500, _amnesia, FORGETFUL),
    Mutant(
        "stale-grant",
        22,
        "a grant from before a release is accepted",
        ("S6", "crash"),
        2_000,
        _stale_grant,
        HANDED_BACK,
    ),
    Mutant("stale-release", 23, "a late release frees what was got since", ("S6",), 2_000, _stale_release, HANDED_BACK),
    Mutant(
        "clocks-too-far-apart",
        110,
        "clocks drift beyond what is allowed for",
        ("S6", "S7"),
        500,
        _clocks_beyond_the_error,
        EDGES,
    ),
    Mutant(
        "forgotten-promise",
        111,
        "a restarted member forgets that it stood back",
        ("S6",),
        300,
        _forgotten_promise,
        DEAF,
    ),
    Mutant("unbound", 112, "who stands back asks the witness all the same", ("S6",), 300, _unbound, DEAF),
)

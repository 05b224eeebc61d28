"""Make a failing history smaller: leave out what it does not need, by delta debugging over its script.

Whatever is left out changes what chance does with the rest, so each attempt is played under a few noises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any, NamedTuple

from tests.simulation.clock import MS, SECOND
from tests.simulation.script import Backup, Deed, Posting, Script

PLAYS_MAX = 3_000
NOISES = 8

Act = Deed | Posting | Backup | tuple[str, int, int]
FailureOf = Callable[[Script], str]  # the invariant that does not hold in this history; "": all hold


class Smallest(NamedTuple):
    """What is left. plays: how many histories it took to find."""

    script: Script
    plays: int


def minimise(script: Script, failure_of: FailureOf, plays_max: int = PLAYS_MAX) -> Smallest:
    """Return a script that breaks the same invariant, and of which nothing can be left out as far as was tried."""
    search = _Search(script, failure_of, plays_max)
    size = script.size + 1
    while search.best.size < size and not search.is_over:
        size = search.best.size
        search.leave_out()
    search.simplify()
    return Smallest(search.best, search.plays)


class _Search:
    def __init__(self, script: Script, failure_of: FailureOf, plays_max: int) -> None:
        self.best = script
        self.plays = 1
        self._failure_of = failure_of
        self._plays_max = plays_max
        self._name = failure_of(script)
        if not self._name:
            raise ValueError(f"the history of seed {script.seed} does not fail")

    @property
    def is_over(self) -> bool:
        return self.plays >= self._plays_max

    def _try(self, script: Script) -> bool:
        """Keep a script if it fails as the first one did."""
        for number in range(NOISES):
            if self.is_over:
                return False
            attempt = replace(script, noise=(self.best.noise + number) % (1 << 32))
            self.plays += 1
            if self._failure_of(attempt) == self._name:
                self.best = attempt
                return True
        return False

    def leave_out(self) -> None:
        """Leave out halves, then quarters, and so on down to single acts."""
        acts = _acts(self.best)
        share = len(acts)
        while share:
            start = 0
            while start < len(acts):
                rest = acts[:start] + acts[start + share :]
                if self._try(_with_acts(self.best, rest)):
                    acts = rest
                else:
                    start += share
            share //= 2

    def simplify(self) -> None:
        """Make plainer what cannot be left out, and heal earlier."""
        for simpler in (_of_one_part, _with_steady_hops, _without_bound, _of_one_version, _without_claims):
            script = simpler(self.best)
            if script != self.best:
                self._try(script)
        for trouble in _earlier(self.best):
            if self._try(replace(self.best, trouble=trouble)):
                break


def _acts(script: Script) -> list[Act]:
    return list(chain[Any](script.deeds, script.backups, script.postings, script.strikes))


def _with_acts(script: Script, acts: Sequence[Act]) -> Script:
    def kept(known: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(act for act in known if act in acts)

    return replace(
        script,
        deeds=kept(script.deeds),
        postings=kept(script.postings),
        backups=kept(script.backups),
        strikes=kept(script.strikes),
    )


def _of_one_part(script: Script) -> Script:
    return replace(script, postings=tuple(posting._replace(parts=1) for posting in script.postings))


def _with_steady_hops(script: Script) -> Script:
    return replace(script, are_hops_fickle=False)


def _without_bound(script: Script) -> Script:
    return replace(script, bounds=script.bounds._replace(log_records_max=1 << 30))


def _of_one_version(script: Script) -> Script:
    return replace(script, old_until=(0, 0, 0))


def _without_claims(script: Script) -> Script:
    return replace(script, bounds=script.bounds._replace(claim=0))


def _earlier(script: Script) -> Iterator[int]:
    """Give times to heal at, the earliest first: never before the last act."""
    last = max([act.when for act in (*script.deeds, *script.postings)], default=0)
    for spare in (100 * MS, SECOND, 3 * SECOND):
        if last + spare < script.trouble:
            yield last + spare

"""Overhears what a script asks outside: of whom, what came of it, and how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mtad.dns.asking import Names
from mtad.dns.resolver import Absent, Unknown
from mtad.dns.resolver import Answer as DnsAnswer
from mtad.mail.programs import Broken, Declined, Programs, Result, Task
from mtad.maps.answer import Absent as NoSuchKey
from mtad.maps.answer import Answer, Asked, AtOnce, Map, Unavailable
from mtad.sieve.outside import Outside

FACTS_MAX = 1000  # of a step; those behind them are not kept


@dataclass(frozen=True, slots=True)
class Fact:
    """One question, who was asked, and the answer.

    is_cached   it was asked before, and the answer is still good: nobody was asked again
    """

    source: str
    question: str
    answer: str
    milliseconds: float
    is_cached: bool = False


@dataclass(slots=True)
class Overheard:
    """The facts that were heard and not taken yet."""

    now: Callable[[], float] = time.perf_counter
    facts: list[Fact] = field(default_factory=list)

    def outside(self, outside: Outside) -> Outside:
        """Return the same, overheard."""
        maps = {name: _map(f"map:{name}", one, self) for name, one in outside.maps.items()}
        names, lists = _Names("dns", outside.names, self), _Names("dns", outside.lists, self)
        programs = _Programs(outside.programs, self)
        return replace(outside, maps=maps, names=names, lists=lists, programs=programs)

    def hear(self, fact: Fact) -> None:
        """Keep a fact."""
        if len(self.facts) < FACTS_MAX:
            self.facts.append(fact)

    def taken(self) -> tuple[Fact, ...]:
        """Return what was heard since this was last asked."""
        facts, self.facts = tuple(self.facts), []
        return facts

    def since(self, began: float) -> float:
        """Return the milliseconds since then."""
        return round((self.now() - began) * 1000, 3)


@dataclass(slots=True)
class _Names:
    """DNS."""

    source: str
    names: Names
    overheard: Overheard
    _known_until: dict[tuple[str, str], float] = field(default_factory=dict)

    async def lookup(self, name: str, record_type: str) -> DnsAnswer:
        """Ask, and tell."""
        began, key = self.overheard.now(), (name.lower(), record_type)
        is_cached = began < self._known_until.get(key, 0.0)
        answer = await self.names.lookup(name, record_type)
        if not isinstance(answer, Unknown) and not is_cached:
            self._known_until[key] = began + answer.ttl_seconds
        question, took = f"{record_type} {name}", self.overheard.since(began)
        self.overheard.hear(Fact(self.source, question, _of_dns(answer), took, is_cached))
        return answer


def _of_dns(answer: DnsAnswer) -> str:
    if isinstance(answer, Unknown):
        return f"unknown: {answer.why}"
    return answer.kind.value if isinstance(answer, Absent) else ", ".join(answer.records)


@dataclass(slots=True)
class _AtOnce:
    """A map that has its answers here."""

    source: str
    map: AtOnce
    overheard: Overheard

    def weight(self, key: str) -> int:
        """Return how much a look costs."""
        return self.map.weight(key)

    def get(self, key: str) -> Answer:
        """Look, and tell."""
        began = self.overheard.now()
        answer = self.map.get(key)
        self.overheard.hear(Fact(self.source, key, _of_map(answer), self.overheard.since(began)))
        return answer


@dataclass(slots=True)
class _Asked:
    """A map that another program has."""

    source: str
    map: Asked
    overheard: Overheard

    async def ask(self, key: str) -> Answer:
        """Ask, and tell."""
        began = self.overheard.now()
        answer = await self.map.ask(key)
        self.overheard.hear(Fact(self.source, key, _of_map(answer), self.overheard.since(began)))
        return answer


@dataclass(slots=True)
class _Programs:
    """Programs."""

    programs: Programs
    overheard: Overheard

    def problem(self, name: str) -> str:
        """Say why one cannot be run."""
        return self.programs.problem(name)

    async def run(self, task: Task) -> Result:
        """Run it, and tell."""
        began = self.overheard.now()
        result = await self.programs.run(task)
        question, took = " ".join((task.program, *task.arguments)), self.overheard.since(began)
        self.overheard.hear(Fact("program", question, _of_program(result), took))
        return result


def _of_program(result: Result) -> str:
    if isinstance(result, Broken):
        return f"broken: {result.why}"
    return f"status {result.status if isinstance(result, Declined) else 0}"


def _map(source: str, of: Map, overheard: Overheard) -> Map:
    return _AtOnce(source, of, overheard) if isinstance(of, AtOnce) else _Asked(source, of, overheard)


def _of_map(answer: Answer) -> str:
    if isinstance(answer, Unavailable):
        return f"unavailable: {answer.why}"
    return "no such key" if isinstance(answer, NoSuchKey) else answer.value

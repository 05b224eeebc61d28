"""What a policy under test asks outside: maps and DNS hold what a test says that they hold, and nothing else.

Counters begin with nothing, and count in the test's own time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mtad.dns.resolver import Absence, Absent, Unknown
from mtad.dns.resolver import Answer as DnsAnswer
from mtad.dns.resolver import Found as Records
from mtad.limits.ledger import Ledger, LocalLimits
from mtad.limits.questions import Answer as LimitsAnswer
from mtad.limits.questions import Held, Question, Stored, Storing
from mtad.limits.questions import Unknown as Uncounted
from mtad.mail.srs import Srs
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable, folded
from mtad.rehearsal.methods import PlayedMethods
from mtad.rehearsal.services import KINDS, PlayedServices
from mtad.sieve.outside import Outside

_TTL_SECONDS = 60


@dataclass(slots=True)
class PlayedMap:
    """A map that holds what it was given, or cannot be asked."""

    values: dict[str, str] = field(default_factory=dict)
    is_down: bool = False

    async def ask(self, key: str) -> Answer:
        """Return what the test has said of a key."""
        if self.is_down:
            return Unavailable("so says the test")
        value = self.values.get(folded(key))
        return ABSENT if value is None else Found(value)


@dataclass(slots=True)
class PlayedNames:
    """DNS: records by name and type. A name of which a test says nothing does not exist."""

    records: dict[tuple[str, str], tuple[str, ...] | None] = field(default_factory=dict)  # None: no answer comes

    async def lookup(self, name: str, record_type: str) -> DnsAnswer:
        """Return what the test has said of a name."""
        plain = _plain(name)
        found = self.records.get((plain, record_type.lower()), ())
        if found is None:
            return Unknown("so says the test")
        if found:
            return Records(found, _TTL_SECONDS)
        return Absent(Absence.NODATA if any(known == plain for known, _ in self.records) else Absence.NXDOMAIN)

    def put(self, record_type: str, name: str, record: str) -> None:
        """Have one record more."""
        key = (_plain(name), record_type.lower())
        self.records[key] = (*(self.records.get(key) or ()), record)

    def fail(self, record_type: str, name: str) -> None:
        """Give no answer from now on."""
        self.records[_plain(name), record_type.lower()] = None


_SRS = Srs((b"a secret of tests",))


@dataclass(slots=True)
class PlayedLimits:
    """Counters, or nobody who could be asked for them."""

    wall_ms: Callable[[], int]
    ledger: Ledger = field(default_factory=lambda: Ledger(node=0))
    is_down: bool = False

    async def ask(self, question: Question) -> LimitsAnswer:
        """Answer, and count."""
        return Uncounted("so says the test") if self.is_down else self.ledger.ask(question, self.wall_ms())

    async def take(self, counter: bytes, limit: int) -> Held | LimitsAnswer:
        """Take one of so many places."""
        if self.is_down:
            return Uncounted("so says the test")
        return await LocalLimits(self.ledger, self.wall_ms).take(counter, limit)

    async def store(self, storing: Storing) -> Stored | Uncounted:
        """Hold a value, or return the one that is held."""
        return Uncounted("so says the test") if self.is_down else self.ledger.store(storing, self.wall_ms())


@dataclass(slots=True)
class Lookups:
    """All that is asked. A policy finds the maps that were named before it was compiled."""

    limits: PlayedLimits
    maps: dict[str, PlayedMap] = field(default_factory=dict)
    names: PlayedNames = field(default_factory=PlayedNames)
    methods: PlayedMethods = field(default_factory=PlayedMethods)
    services: PlayedServices = field(default_factory=PlayedServices)

    @property
    def outside(self) -> Outside:
        """What a policy is compiled with."""
        return Outside(
            self.maps,
            self.names,
            self.names,
            self.limits,
            methods=self.methods,
            services=self.services,
            programs=self.services.programs,
            srs=_SRS,
        )

    def given(self, kind: str, what: str, argument: str, value: str) -> bool:
        """Take a line of a dialog: `map NAME KEY = VALUE`, `dns TYPE NAME = RECORD`, `found METHOD OF = RESULT`,
        `milter NAME = ANSWER`.

        Tells whether it is one. Errors: ValueError, for what there is no such thing of.
        """
        subject, _, fails = argument.rpartition(" ")
        match kind:
            case "map" if argument == "fails":
                self.fail(what)
            case "map" if argument:
                self.put(what, argument, value)
            case "dns" if fails == "fails" and subject:
                self.names.fail(what, subject)
            case "dns" if argument and value:
                self.names.put(what, argument, value)
            case "limits" if what == "fail":
                self.limits.is_down = True
            case "found" if what and value:
                self.methods.put(what, argument, value)
            case _ if kind in KINDS and what and value:
                self.services.put(kind, what, value)
            case _:
                return False
        return True

    def put(self, name: str, key: str, value: str) -> None:
        """Have a map hold a key."""
        self._named(name).values[folded(key)] = value

    def fail(self, name: str) -> None:
        """Have a map fail from now on."""
        self._named(name).is_down = True

    def _named(self, name: str) -> PlayedMap:
        return self.maps.setdefault(name, PlayedMap())


def _plain(name: str) -> str:
    return name.lower().rstrip(".")

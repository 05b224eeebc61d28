"""What stands around scripts when they are compiled: what they may ask beside their facts, and who looks on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mtad.dns.asking import Names, NobodyAsked
from mtad.limits.questions import Limits, NobodyCounts
from mtad.mail.authenticity import Methods, NoMethods
from mtad.mail.programs import NoPrograms, Programs
from mtad.mail.services import NoServices, Services
from mtad.mail.srs import Srs
from mtad.maps.answer import Map


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A script that is there, but cannot be read."""

    why: str


Library = Callable[[str, str], str | Unreadable | None]
"""Gives the text of a script that another includes, by where it is ("personal" or "global") and its name."""

Tell = Callable[[str, int, str, bool | None, Sequence[str]], None]
"""Hears of each command, of one that holds others before those, and of each test what it came to: file, line, name, the
test's value, and what it compared."""


@dataclass(frozen=True, slots=True)
class Outside:
    """The maps, by the names that scripts write behind "map:"; DNS; the scripts that can be included; the counters.

    lists     gives the answers of lists in DNS: by themselves, for the names that strangers have asked may take long
    methods   tries SPF, DKIM, DMARC and ARC
    services  asks milters, policy services and scanners
    programs  runs programs of the operator's
    srs       makes and reads reverse-paths that lead back through us; None where it has no secret
    logins    the names of the credentials that routes may log in with; None: any name will do
    tell      hears what a script does, step by step; without it a script costs no more than it does
    """

    maps: Mapping[str, Map] = field(default_factory=dict)
    names: Names = field(default_factory=NobodyAsked)
    lists: Names = field(default_factory=NobodyAsked)
    limits: Limits = field(default_factory=NobodyCounts)
    scripts: Library | None = None
    methods: Methods = field(default_factory=NoMethods)
    services: Services = field(default_factory=NoServices)
    programs: Programs = field(default_factory=NoPrograms)
    srs: Srs | None = None
    logins: frozenset[str] | None = None
    tell: Tell | None = None


NOTHING = Outside()

"""What a policy asks DNS (vnd.mtad.dns).

    dnsbl [":name" <string>] [":txt" <variable>] [":onerror" <string>] [COMPARATOR] [MATCH-TYPE]
          <zones: string-list> <answers: string-list>
    dns   [":onerror" <string>] [COMPARATOR] [MATCH-TYPE] <type: string> <name: string> <keys: string-list>
    iprev [COMPARATOR] [MATCH-TYPE] <results: string-list>

What cannot be known ends the stage for now at `dns`; a list that does not answer lists nobody, unless `:onerror` says
otherwise. `iprev` has a result of its own for it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mtad.dns.dnsbl import Listing, listings, reason
from mtad.dns.iprev import iprev
from mtad.dns.resolver import Absent, Unknown
from mtad.mail.ip_address import parse_ip
from mtad.sieve.capabilities.variables import CAPABILITY as VARIABLES
from mtad.sieve.capabilities.variables import writer_of
from mtad.sieve.code import Code, Waiting
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, matching
from mtad.sieve.onerror import ON_ERROR_TAG, TEMPFAIL, on_error
from mtad.sieve.run import Run

ZONES_MAX = 32  # of one test: all are asked at once
_CAPABILITY = ("vnd.mtad.dns",)
_ZONE = re.compile(r"(?=.{1,200}\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})+\Z")
_RENDERED: Mapping[str, Callable[[str], str]] = {
    "a": str,
    "aaaa": str,
    "mx": lambda record: record.partition(" ")[2],  # without the preference
    "ns": lambda record: record.rstrip(".").lower(),
    "ptr": str,
    "txt": str,
}


def _dnsbl(bound: Bound) -> Code:
    zones = [item.value for item in bound.strings(0).items]
    for item in bound.strings(0).items:
        if not _ZONE.match(item.value):
            bound.fail(item.at, f'"{item.value}" is no zone of a list')
    if len(zones) > ZONES_MAX:
        bound.fail(bound.strings(0).at, f"a test asks at most {ZONES_MAX} lists")
    lists, name, txt = bound.unit.outside.lists, bound.tag_template(":name"), bound.tag_strings(":txt")
    write = writer_of(bound, txt.items[0]) if txt is not None else None
    failed, is_match = on_error(bound, "dnsbl", "false"), matching(bound, bound.templates(1))

    async def ask(run: Run) -> bool:
        subject = name.read(run) if name is not None else run.facts.environment("remote-ip")
        if not subject:
            return False
        run.spend(len(zones))
        found = await listings(lists, zones, subject)
        listing = next((one for one in found if isinstance(one, Listing) and is_match(run, one.answers)), None)
        if listing is None:
            unknown = next((one for one in found if isinstance(one, Unknown)), None)
            return unknown is not None and failed(run, unknown.why)
        if write is not None:
            write(run, await reason(lists, listing))
        return True

    return Waiting(ask)


def _dns(bound: Bound) -> Code:
    given = bound.strings(0).items[0]
    record_type = given.value.lower()
    if record_type not in _RENDERED:
        return bound.fail(given.at, f'unknown type "{given.value}": one of {", ".join(_RENDERED)}')
    rendered, names = _RENDERED[record_type], bound.unit.outside.names
    name = bound.template(bound.strings(1).items[0])
    failed, is_match = on_error(bound, "dns", TEMPFAIL), matching(bound, bound.templates(2))

    async def ask(run: Run) -> bool:
        asked = name.read(run)
        if not asked:
            return is_match(run, ())  # the domain of the null reverse-path
        address = parse_ip(asked) if record_type == "ptr" else None
        answer = await names.lookup(asked if address is None else address.reverse_pointer, record_type.upper())
        if isinstance(answer, Unknown):
            return failed(run, f"{given.value} of {asked}: {answer.why}")
        return is_match(run, () if isinstance(answer, Absent) else [rendered(record) for record in answer.records])

    return Waiting(ask)


def _iprev(bound: Bound) -> Code:
    names, is_match = bound.unit.outside.names, matching(bound, bound.templates(0))

    async def ask(run: Run) -> bool:
        return is_match(run, ((await iprev(names, run.facts.environment("remote-ip"))).result.value,))

    return Waiting(ask)


_STRING, _TEXT, _TEXTS = ArgumentType.STRING, ArgumentType.TEXT, ArgumentType.TEXTS

DNS = (
    Spec(
        "dnsbl",
        Kind.TEST,
        _dnsbl,
        capabilities=_CAPABILITY,
        tags=(
            *MATCH_TAGS,
            Tag(":name", value=_TEXT),
            Tag(":txt", value=_STRING, capability=VARIABLES),
            ON_ERROR_TAG,
        ),
        positional=(ArgumentType.STRINGS, _TEXTS),
    ),
    Spec(
        "dns",
        Kind.TEST,
        _dns,
        capabilities=_CAPABILITY,
        tags=(*MATCH_TAGS, ON_ERROR_TAG),
        positional=(_STRING, _TEXT, _TEXTS),
    ),
    Spec("iprev", Kind.TEST, _iprev, capabilities=_CAPABILITY, tags=MATCH_TAGS, positional=(_TEXTS,)),
)

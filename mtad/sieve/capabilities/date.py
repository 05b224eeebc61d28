"""Dates: `date` and `currentdate` (RFC 5260)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import MAXYEAR, MINYEAR, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_tz

from mtad.sieve.code import Code
from mtad.sieve.comments import without_comments
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, Source, compare
from mtad.sieve.run import Run
from mtad.sieve.sources import INDEX_TAGS, field_names, picked

_ZONE = re.compile(r"([+-])([0-9]{2})([0-5][0-9])\Z")
_LENGTH_MAX = 1000  # of the end of a field, where its date stands
_JULIAN_ZERO = 678576  # the ordinal of 17 November 1858
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _offset(when: datetime) -> str:
    minutes = int((when.utcoffset() or timedelta()).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def iso8601(when: datetime) -> str:
    """Return a date as RFC 3339 has it."""
    zone = _offset(when)
    return f"{when.year:04}-{when:%m-%dT%H:%M:%S}" + ("Z" if zone == "+0000" else f"{zone[:3]}:{zone[3:]}")


def _std11(when: datetime) -> str:
    day, month = _DAYS[when.weekday()], _MONTHS[when.month - 1]
    return f"{day}, {when.day:02} {month} {when.year:04} {when:%H:%M:%S} {_offset(when)}"


_PARTS: Mapping[str, Callable[[datetime], str]] = {  # §4.2
    "year": lambda when: f"{when.year:04}",
    "month": lambda when: f"{when.month:02}",
    "day": lambda when: f"{when.day:02}",
    "date": lambda when: f"{when.year:04}-{when.month:02}-{when.day:02}",
    "julian": lambda when: str(when.toordinal() - _JULIAN_ZERO),
    "hour": lambda when: f"{when.hour:02}",
    "minute": lambda when: f"{when.minute:02}",
    "second": lambda when: f"{when.second:02}",
    "time": lambda when: f"{when:%H:%M:%S}",
    "iso8601": iso8601,
    "std11": _std11,
    "zone": _offset,
    "weekday": lambda when: str((when.weekday() + 1) % 7),
}


def parsed(text: str) -> datetime | None:
    """Return the date that stands in a field, in a Received field behind its last semicolon; None when none does."""
    found = parsedate_tz(without_comments(text[-_LENGTH_MAX:]).rpartition(";")[2].strip())
    if found is None:
        return None
    year, month, day, hour, minute, second = found[:6]
    if not MINYEAR < year < MAXYEAR:
        return None  # another zone may have no such date
    try:
        zone = timezone(timedelta(seconds=found[9] or 0))
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except (ValueError, OverflowError):
        return None


def _date(bound: Bound) -> Code:
    name, pick = field_names(bound, 0)[0], picked(bound) or slice(0, 1)
    part, zone = _part(bound, 1), zone_of(bound)
    is_original = bound.has(":originalzone")

    def ask(run: Run) -> Sequence[str]:
        fields = run.message().values(name.read(run))[pick]
        dates = [when for field in fields if (when := parsed(field)) is not None]
        return [part(when if is_original else when.astimezone(zone(run))) for when in dates]

    return compare(bound, bound.templates(2), [ask])


def _currentdate(bound: Bound) -> Code:
    part, zone = _part(bound, 0), zone_of(bound)
    source: Source = lambda run: (part(run.now().astimezone(zone(run))),)  # noqa: E731 - the name is its type's
    return compare(bound, bound.templates(1), [source])


def _part(bound: Bound, index: int) -> Callable[[datetime], str]:
    item = bound.strings(index).items[0]
    found = _PARTS.get(item.value.lower())
    if found is None:
        bound.fail(item.at, f'"{item.value}" is no part of a date: one of {", ".join(_PARTS)}')
        return _std11
    return found


def zone_of(bound: Bound) -> Callable[[Run], tzinfo | None]:
    """Return the zone that `:zone` names, or else the local one."""
    given = bound.tag_strings(":zone")
    if given is None:
        return lambda run: run.now().tzinfo
    found = _ZONE.match(given.items[0].value)
    if found is None:
        bound.fail(given.at, f'"{given.items[0].value}" is no time zone: "+0100" is one')
        return lambda run: None
    minutes = int(found[2]) % 24 * 60 + int(found[3])
    fixed = timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    return lambda run: fixed


_ZONE_TAG = Tag(":zone", "zone", ArgumentType.STRING)

DATE = (
    Spec(
        "date",
        Kind.TEST,
        _date,
        capabilities=("date",),
        tags=(*MATCH_TAGS, *INDEX_TAGS, _ZONE_TAG, Tag(":originalzone", "zone")),
        positional=(ArgumentType.TEXT, ArgumentType.STRING, ArgumentType.TEXTS),
        stages=(OUTSIDE, "data"),
    ),
    Spec(
        "currentdate",
        Kind.TEST,
        _currentdate,
        capabilities=("date",),
        tags=(*MATCH_TAGS, _ZONE_TAG),
        positional=(ArgumentType.STRING, ArgumentType.TEXTS),
        stages=(
            OUTSIDE,
            "connect",
            "ehlo",
            "auth",
            "mail",
            "rcpt",
            "data",
        ),  # where mail goes must not change by the hour
    ),
)

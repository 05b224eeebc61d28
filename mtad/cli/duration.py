"""Durations, sizes and counts as operators write and read them."""

from __future__ import annotations

import re

import typer

_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([smhdw]?)")
_SHOWN = ((86_400, "d"), (3_600, "h"), (60, "min"))
_SIZES = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


def read_duration(text: str | float) -> float:
    """Return the seconds that `90`, `90s`, `15m`, `2h`, `3d` or `1w` means. Errors: typer.BadParameter."""
    found = _DURATION.fullmatch(str(text))
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration; write 90s, 15m, 2h, 3d or 1w")
    return float(found[1]) * _UNITS[found[2] or "s"]


def show_duration(seconds: float) -> str:
    """Write a duration in its largest unit: `42 s`, `5 min`, `3.5 h`, `12 d`."""
    for size, unit in _SHOWN:
        if seconds >= size:
            return f"{_brief(seconds / size)} {unit}"
    return f"{_brief(max(0.0, seconds))} s"


def show_octets(octets: int) -> str:
    """Write a size: `512 B`, `4.2 kB`, `12 MB`."""
    for size, unit in _SIZES:
        if octets >= size:
            return f"{_brief(octets / size)} {unit}"
    return f"{octets} B"


def show_count(number: int, noun: str) -> str:
    """Write a number with its noun: `0 messages`, `1 message`, `2 messages`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _brief(number: float) -> str:
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}".removesuffix(".0")

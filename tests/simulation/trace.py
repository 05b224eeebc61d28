"""A history written for a reader: short names for branches and values, and nothing that says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from replicator.core.events import Received, Send, Tick
from replicator.core.messages import Beat
from tests.simulation.clock import MS

LINES_MAX = 2_000
WIDTH_MAX = 300

_SHORTER = (
    (re.compile(r"Branch\(node=(\d+), incarnation=(\d+)\)"), lambda found: f"{found[1]}/{int(found[2]):016x}"[:6]),
    (re.compile(r"Dot\(branch=([^,]+), seq=(\d+)\)"), r"\1:\2"),
    (re.compile(r"<\w+\.(\w+): \d+>"), r"\1"),
    (re.compile(r"PartValue\(rank=(\d+), attempts=(\d+)[^)]*\)"), r"rank \1 try \2"),
    (re.compile(r"Authority\(epoch=(\d+), node=(\d+)\)"), r"epoch \1/\2"),
    (re.compile(r", flags=Flags\(hlc=0, data=b''\)|, (meta|blob|data)=b'[^']*'|, \w+=None|, \w+=\(\)"), ""),
)


def show(log: list[tuple[Any, ...]]) -> str:
    """Write the end of a history: milliseconds, node, what it took in or carried out."""
    lines = [f"{entry[0] / MS:10.2f}  {entry[1]}  {' '.join(map(_word, entry[2:]))}" for entry in _told(log)]
    return "\n".join(lines[-LINES_MAX:])


def _told(log: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Leave out ticks, and beats that say the same as the one before them."""
    last: dict[Any, Beat] = {}
    for entry in log:
        word = entry[2]
        if isinstance(word, Tick):
            continue
        if isinstance(word, Send | Received) and isinstance(word.message, Beat):
            where, said = (entry[1], type(word)), word.message._replace(ticket=0)
            if last.get(where) == said:
                continue
            last[where] = said
        yield entry


def _word(word: object) -> str:
    text = word if isinstance(word, str) else repr(word)
    for pattern, shorter in _SHORTER:
        text = pattern.sub(shorter, text)
    return text if len(text) <= WIDTH_MAX else text[:WIDTH_MAX] + "..."

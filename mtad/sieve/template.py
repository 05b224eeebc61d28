"""Strings with variables in them (RFC 5229 §3): taken apart when a script is compiled, put together when it runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mtad.sieve.run import Run

Read = Callable[[Run], str]

_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*+"
_NAME = rf"(?:(?:{_IDENTIFIER}\.)(?:(?:{_IDENTIFIER}|[0-9]++)\.)*+)?+(?:{_IDENTIFIER}|[0-9]++)"
_REFERENCE = re.compile(rf"\$\{{({_NAME})\}}")
_WHOLE_NAME = re.compile(rf"(?:{_NAME})\Z")


class Reference(NamedTuple):
    """A variable: its name, folded, in front of it those of its namespaces."""

    path: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name as it is written, folded."""
        return ".".join(self.path)


class Template(NamedTuple):
    """A string that may hold variables; `constant` when it holds none. `at` is its place in the script."""

    read: Read
    constant: str | None = None
    at: int = 0


def reference(name: str) -> Reference | None:
    """Return the variable of this name; None when nothing may be called so."""
    return Reference(tuple(name.lower().split("."))) if _WHOLE_NAME.match(name) else None


def pieces(text: str) -> list[str | Reference]:
    """Take a string apart; what has not the form of a variable stays as it is (§3)."""
    found: list[str | Reference] = []
    for index, piece in enumerate(_REFERENCE.split(text)):
        if index % 2:
            found.append(Reference(tuple(piece.lower().split("."))))
        elif piece:
            found.append(piece)
    return found


def fixed(value: str, at: int = 0) -> Template:
    """Make what holds no variable."""
    return Template(lambda run: value, value, at)


def joined(parts: Sequence[str | Read]) -> Template:
    """Make what is put together from these, cut where it is longer than a value may be."""
    readers = [part if callable(part) else fixed(part).read for part in parts]
    if len(readers) == 1:
        return Template(readers[0])

    def read(run: Run) -> str:
        run.spend(len(readers))
        left = run.limits.value_length_max
        found: list[str] = []
        for one in readers:
            value = one(run)
            found.append(value[:left])
            left -= len(value)
            if left <= 0:
                break
        return "".join(found)

    return Template(read)

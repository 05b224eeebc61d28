"""Maps that stand in the script itself, `map` (vnd.mtad.lookup), and `valid_ext_list` (RFC 6134 §2.5).

map [":cidr" / ":regexp"] <name: string> <lines: string-list>       top level; a line is "key value"
map ":kept" <name: string>                                          top level; `mapset` says what is in it
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from mtad.maps.answer import Map
from mtad.maps.cidr import networks
from mtad.maps.lines import Line, Wrong
from mtad.maps.regexp import patterns
from mtad.maps.table import table
from mtad.sieve.code import Code, Plain, constant
from mtad.sieve.kept_map import KeptMap
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.lists import CAPABILITY, PREFIX
from mtad.sieve.run import Run
from mtad.sieve.syntax import Text
from mtad.sieve.weights import EXPRESSION, NO_EXPRESSION, steps_of

_KIND = "kind of map"
_KEPT = ":kept"
_GROUP = 2  # units that a group costs which a value names


class _Kind(NamedTuple):
    """How the lines are made a map, and how many units each costs besides its expression's size."""

    make: Callable[[Bound, Iterable[Line]], Map | Wrong]
    units: int


def _expressions(bound: Bound, lines: Iterable[Line]) -> Map | Wrong:
    """Make a map of expressions, each paid for as one of `:regex` is."""

    def pay(steps: int | None) -> None:
        bound.spend(NO_EXPRESSION if steps is None else steps_of(steps))

    return patterns(lines, pay)


_TABLE = _Kind(lambda bound, lines: table(lines), 2)
_KINDS: Mapping[str, _Kind] = {
    ":cidr": _Kind(lambda bound, lines: networks(lines), 8),
    ":regexp": _Kind(_expressions, EXPRESSION),
}


def _map(bound: Bound) -> Code:
    name, has_lines = bound.string(0), len(bound.positional) == len(bound.spec.positional)
    if name in bound.unit.defined.maps:
        return bound.fail(bound.strings(0).at, f'there is a map "{name}" already')
    if (bound.chosen.get(_KIND) == _KEPT) is has_lines:
        return bound.fail(bound.at, f"a map has its lines, or is {_KEPT} and has none")
    if not has_lines:
        bound.unit.defined.maps[name] = KeptMap(name, bound.unit.outside.limits)
        return constant(False)
    items = bound.strings(1).items
    empty = [item for item in items if not item.value.strip()]
    if empty:
        return bound.fail(empty[0].at, "a line of a map begins with its key")
    kind = _KINDS.get(bound.chosen.get(_KIND, ""), _TABLE)
    made = kind.make(bound, _paid(bound, items, kind.units))
    if isinstance(made, Wrong):
        for line in made.lines:
            bound.fail(items[line.number].at, line.text)
    else:
        bound.unit.defined.maps[name] = made
    return constant(False)


def _paid(bound: Bound, items: Sequence[Text], units: int) -> Iterator[Line]:
    """Yield the lines, as many as may still be compiled."""
    for index, item in enumerate(items):
        if not bound.spend(units + _GROUP * item.value.count("$")):
            return
        yield Line(index, item.value.strip())


def _valid_ext_list(bound: Bound) -> Code:
    names, maps = bound.templates(0), bound.unit.defined.maps

    def ask(run: Run) -> bool:
        asked = [name.read(run) for name in names]
        return all(name.startswith(PREFIX) and name.removeprefix(PREFIX) in maps for name in asked)

    return Plain(ask)


DEFINED_MAPS = (
    Spec(
        "map",
        Kind.DEFINITION,
        _map,
        capabilities=("vnd.mtad.lookup",),
        tags=tuple(Tag(name, _KIND) for name in (*_KINDS, _KEPT)),
        positional=(ArgumentType.STRING, ArgumentType.STRINGS),
        optional=1,
    ),
)

EXTLISTS = (
    Spec(
        "valid_ext_list",
        Kind.TEST,
        _valid_ext_list,
        capabilities=(CAPABILITY,),
        positional=(ArgumentType.TEXTS,),
    ),
)

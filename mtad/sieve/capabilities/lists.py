"""Maps that stand in the script itself, `map` (vnd.mtad.lookup), and `valid_ext_list` (RFC 6134 §2.5).

map [":cidr" / ":regexp"] <name: string> <lines: string-list>       top level; a line is "key value"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from mtad.maps.answer import Map
from mtad.maps.cidr import networks
from mtad.maps.lines import Line, Wrong
from mtad.maps.regexp import patterns
from mtad.maps.table import table
from mtad.sieve.code import Code, Plain, constant
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.lists import CAPABILITY, PREFIX
from mtad.sieve.run import Run

_KIND = "kind of map"
_KINDS: Mapping[str, Callable[[Iterable[Line]], Map | Wrong]] = {":cidr": networks, ":regexp": patterns}


def _map(bound: Bound) -> Code:
    name, items = bound.string(0), bound.strings(1).items
    if name in bound.unit.defined.maps:
        return bound.fail(bound.strings(0).at, f'there is a map "{name}" already')
    empty = [item for item in items if not item.value.strip()]
    if empty:
        return bound.fail(empty[0].at, "a line of a map begins with its key")
    made = _KINDS.get(bound.chosen.get(_KIND, ""), table)(
        Line(index, item.value.strip()) for index, item in enumerate(items)
    )
    if isinstance(made, Wrong):
        for line in made.lines:
            bound.fail(items[line.number].at, line.text)
    else:
        bound.unit.defined.maps[name] = made
    return constant(False)


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
        tags=tuple(Tag(name, _KIND) for name in _KINDS),
        positional=(ArgumentType.STRING, ArgumentType.STRINGS),
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

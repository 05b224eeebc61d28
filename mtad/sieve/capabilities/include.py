"""Scripts in scripts: `include`, `return`, `global` (RFC 6609)."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence

from mtad.sieve.code import Code, Plain, constant, repeat
from mtad.sieve.language import ArgumentType, Bound, Kind, Namespace, Spec, Tag, Write
from mtad.sieve.run import Run
from mtad.sieve.template import Read

_CAPABILITY = ("include",)
_APART = ("foreachrcpt", "monitor")  # blocks in which not every command can stand
_RETURN = " return"  # no loop is named so
_NAME = re.compile(r"[^\s/.\0][^/\0\r\n]{0,127}\Z")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*\Z")


def _include(bound: Bound) -> Code:
    item = bound.strings(0).items[0]
    location = bound.chosen.get("location", ":personal")
    if not _NAME.match(item.value):
        return bound.fail(item.at, f'"{item.value}" is no name of a script')
    around = frozenset(block for block in _APART if bound.stands_in(block))
    code = bound.unit.include(location.removeprefix(":"), item.value, bound.stage, around)
    if code is None:
        if bound.has(":optional"):
            return constant(False)
        return bound.fail(item.at, f'there is no {location.removeprefix(":")} script "{item.value}"')
    if isinstance(code, str):
        return bound.fail(item.at, f'"{item.value}" {code}')
    is_once, key = bound.has(":once"), (location, item.value)

    def enter(run: Run) -> Generator[None, None, None]:
        if is_once and key in run.included:
            return
        run.included.add(key)
        yield

    return repeat(code, enter, _RETURN)


def _global(bound: Bound) -> Code:
    for item in bound.strings(0).items:
        name = item.value.lower()
        if not _IDENTIFIER.match(name):
            bound.fail(item.at, f'"{item.value}" is no name of a variable')
        elif not bound.unit.share(name):
            bound.fail(item.at, f'"{item.value}" is already a variable of this script alone')
    return constant(False)


def _read(bound: Bound, path: Sequence[str]) -> Read | str:
    if len(path) != 1:
        return "it is one name"
    key = bound.unit.shared(path[0])
    return lambda run: run.variables.get(key, "")


def _write(bound: Bound, path: Sequence[str]) -> Write | str:
    if len(path) != 1:
        return "it is one name"
    key = bound.unit.shared(path[0])

    def write(run: Run, value: str) -> None:
        run.variables[key] = value[: run.limits.value_length_max]

    return write


GLOBAL = Namespace("global", "include", _read, _write)

INCLUDE = (
    Spec(
        "include",
        Kind.COMMAND,
        _include,
        capabilities=_CAPABILITY,
        tags=(Tag(":personal", "location"), Tag(":global", "location"), Tag(":once"), Tag(":optional")),
        positional=(ArgumentType.STRING,),
        runs_others=True,
    ),
    Spec("return", Kind.COMMAND, lambda bound: Plain(lambda run: run.leave(_RETURN)), capabilities=_CAPABILITY),
    Spec("global", Kind.COMMAND, _global, capabilities=_CAPABILITY, positional=(ArgumentType.STRINGS,)),
)

"""Lines for the log: vnd.mtad.log."""

from __future__ import annotations

from typing import get_args

from mtad.sieve.actions import Log
from mtad.sieve.code import Code, Plain
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.telemetry.events import Level

_LEVELS: dict[str, Level] = {level: level for level in get_args(Level)}


def _log(bound: Bound) -> Code:
    given = bound.tag_strings(":level")
    level = _LEVELS.get(given.items[0].value if given is not None else "info")
    if level is None:
        return bound.fail(given.at if given is not None else bound.at, f"a level is one of {', '.join(_LEVELS)}")
    text, chosen = bound.template(bound.strings(0).items[0]), level
    return Plain(lambda run: run.act(Log(text.read(run), chosen)))


LOG = (
    Spec(
        "log",
        Kind.COMMAND,
        _log,
        capabilities=("vnd.mtad.log",),
        tags=(Tag(":level", value=ArgumentType.STRING),),
        positional=(ArgumentType.TEXT,),
    ),
)

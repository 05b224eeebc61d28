"""Points that the stages of a session collect on a message: vnd.mtad.score. They are decimal, to three places."""

from __future__ import annotations

import re
from collections.abc import Callable

from mtad.sieve.code import Code, Plain
from mtad.sieve.language import SESSION_STAGES, ArgumentType, Bound, Computed, Kind, Spec, Tag
from mtad.sieve.match import RELATIONS
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.template import Template

_CAPABILITY = "vnd.mtad.score"
_DECIMAL = re.compile(r"([+-]?)([0-9]{1,6})(?:\.([0-9]{1,3}))?\Z")
_THOUSAND = 1000


def thousandths(text: str) -> int | None:
    """Read a decimal number; None when it is none, or has more places than count."""
    found = _DECIMAL.match(text)
    if found is None:
        return None
    value = int(found[2]) * _THOUSAND + int((found[3] or "").ljust(3, "0"))
    return -value if found[1] == "-" else value


def decimal(value: int) -> str:
    """Write thousandths as a decimal number, with no more places than it needs."""
    whole, rest = divmod(abs(value), _THOUSAND)
    places = f".{rest:03}".rstrip("0").rstrip(".")
    return f"{'-' if value < 0 else ''}{whole}{places}"


def _total(run: Run) -> int:
    return sum(run.points.values())


def _points(bound: Bound, index: int) -> Callable[[Run], int]:
    """Compile a number of points."""
    item = bound.strings(index).items[0]
    template = bound.template(item)
    if template.constant is None:
        return lambda run: _read(template, run)
    value = thousandths(template.constant)
    if value is None:
        bound.fail(item.at, f'"{item.value}" is no decimal number: up to 6 digits, and up to 3 places')
        return lambda run: 0
    constant = value
    return lambda run: constant


def _read(template: Template, run: Run) -> int:
    text = template.read(run)
    value = thousandths(text)
    if value is None:
        raise ScriptFailed(f'score: "{text[:100]}" is no decimal number')
    return value


def _score(bound: Bound) -> Code:
    points, symbol = _points(bound, 0), bound.string(1)

    def note(run: Run) -> bool:
        run.score(symbol, points(run))
        return False

    return Plain(note)


def _has_score(bound: Bound) -> Code:
    relation = RELATIONS.get(bound.string(0).lower())
    if relation is None:
        return bound.fail(bound.strings(0).at, f'"{bound.string(0)}" is none of {", ".join(RELATIONS)}')
    holds, points, symbol = relation, _points(bound, 1), bound.tag_string(":symbol")
    if symbol is None:
        return Plain(lambda run: holds(_total(run), points(run)))
    return Plain(lambda run: holds(run.points.get(symbol, 0), points(run)))


SCORE = (
    Spec(
        "score",
        Kind.COMMAND,
        _score,
        capabilities=(_CAPABILITY,),
        positional=(ArgumentType.TEXT, ArgumentType.STRING),
        stages=SESSION_STAGES,
    ),
    Spec(
        "score",
        Kind.TEST,
        _has_score,
        capabilities=(_CAPABILITY,),
        tags=(Tag(":symbol", value=ArgumentType.STRING),),
        positional=(ArgumentType.STRING, ArgumentType.TEXT),
        stages=SESSION_STAGES,
    ),
)

TOTAL = Computed("score", _CAPABILITY, lambda run: decimal(_total(run)), SESSION_STAGES)
"""`${score}`: what all symbols come to."""

"""Maps as scripts name them, and the match type `:list` (RFC 6134): whether a map has one of the values.

The comparator has no say in it (§2.2 leaves that open): a map folds keys as it does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from mtad.maps.answer import Answer, AtOnce, Found, Map, Unavailable
from mtad.sieve.code import Code, Plain, Waiting
from mtad.sieve.kept_map import KeptMap
from mtad.sieve.language import SESSION_STAGES, Bound, Tag
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.template import Template

CAPABILITY = "extlists"
LIST_TAG = Tag(":list", "match", capability=CAPABILITY)
PREFIX = "map:"
KEPT_STAGES = SESSION_STAGES  # where the counters can be asked


def named_map(bound: Bound, name: str, at: int) -> Map | None:
    """Return the map that a script names; None when there is none, which is reported."""
    if not name.startswith(PREFIX):
        bound.fail(at, f'"{name}" is no map: "{PREFIX}NAME"')
        return None
    found = bound.unit.defined.maps.get(name.removeprefix(PREFIX))
    if found is None:
        bound.fail(at, f'there is no map "{name.removeprefix(PREFIX)}" in policy.maps of mtad.toml')
    elif isinstance(found, KeptMap) and bound.stage not in KEPT_STAGES:
        bound.fail(at, f'what "{name}" holds is not known in stage "{bound.stage}"')
    return found


def looked_up(run: Run, one: AtOnce, key: str) -> Answer:
    """Return what a map has for a key, whose look the run pays for. Errors: LimitExceeded."""
    run.spend(one.weight(key))
    return one.get(key)


def membership(
    bound: Bound, names: Sequence[Template], sources: Sequence[Callable[[Run], Sequence[str]]], *, is_remembered: bool
) -> Code:
    """Make a test: whether one of the maps has one of the values. It raises ScriptFailed where a map cannot be asked.

    is_remembered   ${0} is the value that was found (§2.6)
    """
    among = _named(bound, names)
    at_once = [(name, one) for name, one in among if isinstance(one, AtOnce)]
    has = _has_remembered if is_remembered else _has

    def ask(run: Run) -> bool:
        for source in sources:
            for value in source(run):
                if any(has(run, name, value, looked_up(run, one, value)) for name, one in at_once):
                    return True
        return False

    async def wait(run: Run) -> bool:
        for source in sources:
            values = source(run)
            run.spend(len(values) * len(among))
            for value, (name, one) in product(values, among):
                answer = looked_up(run, one, value) if isinstance(one, AtOnce) else await one.ask(value)
                if has(run, name, value, answer):
                    return True
        return False

    return Plain(ask) if len(at_once) == len(among) else Waiting(wait)


def _named(bound: Bound, names: Sequence[Template]) -> list[tuple[str, Map]]:
    """Return the maps that a test names, with their names."""
    among: list[tuple[str, Map]] = []
    for name in names:
        if name.constant is None:
            bound.fail(name.at or bound.at, "the name of a list holds no variables")
            continue
        found = named_map(bound, name.constant, name.at)
        if found is not None:
            among.append((name.constant, found))
    return among


def _has(run: Run, name: str, value: str, answer: Answer) -> bool:
    if isinstance(answer, Unavailable):
        raise ScriptFailed(f"{name}: {answer.why}")
    return isinstance(answer, Found)


def _has_remembered(run: Run, name: str, value: str, answer: Answer) -> bool:
    found = _has(run, name, value, answer)
    if found:
        run.captures = (value,)
    return found

"""The test `environment` (RFC 5183)."""

from __future__ import annotations

from mtad.sieve.code import Code, constant
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec
from mtad.sieve.match import MATCH_TAGS, compare, is_count

_OURS = "vnd.mtad."


def _environment(bound: Bound) -> Code:
    item = bound.strings(0).items[0]
    name = item.value.lower()
    known = next((known for known in bound.unit.language.environment if known.name == name), None)
    if known is None:
        if name.startswith(_OURS):
            return bound.fail(item.at, f'unknown item "{item.value}"')
        return constant(False)  # RFC 5183 §4: an item of someone else's is no error, and never matches
    if known.stages and bound.stage not in known.stages:
        return bound.fail(item.at, f'"{name}" is not known in stage "{bound.stage}"')
    if is_count(bound):
        return compare(bound, bound.templates(1), [lambda run: list(filter(None, (run.facts.environment(name),)))])
    return compare(bound, bound.templates(1), [lambda run: (run.facts.environment(name),)])


ENVIRONMENT = (
    Spec(
        "environment",
        Kind.TEST,
        _environment,
        capabilities=("environment",),
        tags=MATCH_TAGS,
        positional=(ArgumentType.STRING, ArgumentType.TEXTS),
    ),
)

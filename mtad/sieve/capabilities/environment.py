"""The test `environment` (RFC 5183)."""

from __future__ import annotations

from mtad.sieve.code import Code, Plain
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec
from mtad.sieve.match import MATCH_TAGS, is_count, matcher

_OURS = "vnd.mtad."


def _environment(bound: Bound) -> Code:
    item = bound.strings(0).items[0]
    name = item.value.lower()
    known = next((known for known in bound.language.environment if known.name == name), None)
    is_match = matcher(bound, [key.value for key in bound.strings(1).items])
    if known is None:
        if name.startswith(_OURS):
            return bound.fail(item.at, f'unknown item "{item.value}"')
        return Plain(lambda run: False)  # RFC 5183 §4: an item of someone else's is no error, and never matches
    if known.stages and bound.stage not in known.stages:
        return bound.fail(item.at, f'"{name}" is not known in stage "{bound.stage}"')
    if is_count(bound):
        return Plain(lambda run: is_match(run, [value for value in (run.facts.environment(name),) if value]))
    return Plain(lambda run: is_match(run, (run.facts.environment(name),)))


ENVIRONMENT = (
    Spec(
        "environment",
        Kind.TEST,
        _environment,
        capabilities=("environment",),
        tags=MATCH_TAGS,
        positional=(ArgumentType.STRING, ArgumentType.STRINGS),
    ),
)

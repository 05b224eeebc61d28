"""The test `environment` (RFC 5183)."""

from __future__ import annotations

from collections.abc import Sequence

from mtad.dns.iprev import IprevResult, iprev
from mtad.sieve.code import Code, Waiting, constant
from mtad.sieve.language import ArgumentType, Bound, Environment, Kind, Namespace, Spec
from mtad.sieve.match import MATCH_TAGS, compare, is_count, matching
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.template import Read

_OURS = "vnd.mtad."


def _environment(bound: Bound) -> Code:
    item = bound.strings(0).items[0]
    name = item.value.lower()
    known = _known(bound, name)
    if known is None:
        if name.startswith(_OURS):
            return bound.fail(item.at, f'unknown item "{item.value}"')
        return constant(False)  # RFC 5183 §4: an item of someone else's is no error, and never matches
    if known.stages and bound.stage not in known.stages:
        return bound.fail(item.at, f'"{name}" is not known in stage "{bound.stage}"')
    if known.is_asked:
        return _remote_host(bound)
    if is_count(bound):
        return compare(bound, bound.templates(1), [lambda run: list(filter(None, (run.facts.environment(name),)))])
    return compare(bound, bound.templates(1), [lambda run: (run.facts.environment(name),)])


def _remote_host(bound: Bound) -> Code:
    """Ask DNS for the client's name, which must lead back to its address; '' is none. It raises ScriptFailed."""
    names, is_match, is_counted = bound.unit.outside.names, matching(bound, bound.templates(1)), is_count(bound)

    async def ask(run: Run) -> bool:
        found = await iprev(names, run.facts.environment("remote-ip"))
        if found.result is IprevResult.TEMPERROR:
            raise ScriptFailed("the name of the client cannot be known now")
        return is_match(run, () if is_counted and not found.name else (found.name,))

    return Waiting(ask)


def _known(bound: Bound, name: str) -> Environment | None:
    return next((known for known in bound.unit.language.environment if known.name == name), None)


def _reader(bound: Bound, path: Sequence[str]) -> Read | str:
    """Make what reads `${env.remote_ip}`: names have no hyphens (RFC 5229 §3), and ours need not say whose they are."""
    name = ".".join(path).replace("_", "-")
    known = _known(bound, name) or _known(bound, _OURS + name)
    if known is None:
        return "there is no such item of the environment"
    if known.stages and bound.stage not in known.stages:
        return f'it is not known in stage "{bound.stage}"'
    if known.is_asked:
        return "it must be asked of DNS, which only the test environment does"
    item = known.name
    return lambda run: run.facts.environment(item)


ENVIRONMENT_VARIABLES = Namespace("env", "environment", _reader)

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

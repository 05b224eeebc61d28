"""The base language (RFC 5228) with `envelope` (§5.4), and the address parts of `subaddress` (RFC 5233)."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.sieve.actions import Discard, Keep, Redirect
from mtad.sieve.addresses import ADDRESS_PARTS, addresses_in
from mtad.sieve.code import Code, Plain, branch, constant, first_equal, negation, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag, Tests
from mtad.sieve.match import MATCH_TAGS, is_count, matcher
from mtad.sieve.run import Run
from mtad.sieve.syntax import Strings

COPY = Tag(":copy", capability="copy")  # RFC 3894 §3
_STRINGS = ArgumentType.STRINGS
_PART_CAPABILITIES = {":user": "subaddress", ":detail": "subaddress"}
_PART_TAGS = tuple(Tag(name, "address part", capability=_PART_CAPABILITIES.get(name, "")) for name in ADDRESS_PARTS)
_FIELD_NAME = re.compile(r"[!-9;-~]+\Z")
_WITH_MESSAGE = (OUTSIDE, "data")
_ENVELOPE_STAGES = {"from": (OUTSIDE, "mail", "rcpt", "data", "deliver"), "to": (OUTSIDE, "rcpt", "data", "deliver")}


def _if(bound: Bound) -> Code:
    arms = [(link.compile_tests()[0], link.compile_block()) for link in (bound, *bound.chain) if link.tests]
    arms += [(constant(True), link.compile_block()) for link in bound.chain if not link.tests]
    return branch(arms)


def _anyof(bound: Bound) -> Code:
    return first_equal(bound.compile_tests(), True)


def _allof(bound: Bound) -> Code:
    return negation(first_equal(bound.compile_tests(), False))


def _not(bound: Bound) -> Code:
    return negation(bound.compile_tests()[0])


def _field_names(bound: Bound, names: Strings) -> tuple[str, ...]:
    """Fold the names. One that no field can have never matches (§2.4.2.2); in a policy it is a mistake to report."""
    for name in names.items:
        if bound.stage != OUTSIDE and not _FIELD_NAME.match(name.value):
            bound.fail(name.at, f'"{name.value}" is no name of a field')
    return tuple(name.value.lower() for name in names.items)


def _over_names(bound: Bound, names: Sequence[str], values_of: Callable[[Run, str], Sequence[str]]) -> Code:
    """Ask the match of the values under each name; a count is of all of them together (RFC 5231 §5)."""
    is_match = matcher(bound, [item.value for item in bound.strings(1).items])
    if is_count(bound):
        return Plain(lambda run: is_match(run, [value for name in names for value in values_of(run, name)]))

    def ask(run: Run) -> bool:
        for name in names:  # noqa: SIM110 - any() with a generator costs as much as the comparison
            if is_match(run, values_of(run, name)):
                return True
        return False

    return Plain(ask)


def _header(bound: Bound) -> Code:
    names = _field_names(bound, bound.strings(0))
    return _over_names(bound, names, lambda run, name: run.facts.message().values(name))


def _address(bound: Bound) -> Code:
    names = _field_names(bound, bound.strings(0))
    part = ADDRESS_PARTS[bound.chosen.get("address part", ":all")]

    def parts(run: Run, name: str) -> Sequence[str]:
        addresses = run.facts.message().addresses(name)
        return [value for address in addresses if (value := part(address)) is not None]

    return _over_names(bound, names, parts)


def _envelope(bound: Bound) -> Code:
    for item in bound.strings(0).items:
        stages = _ENVELOPE_STAGES.get(item.value.lower())
        if stages is None:
            bound.fail(item.at, f'unknown envelope part "{item.value}": "from" or "to"')
        elif bound.stage not in stages:
            bound.fail(item.at, f'envelope "{item.value}" is not known in stage "{bound.stage}"')
    names = tuple(item.value.lower() for item in bound.strings(0).items)
    part = ADDRESS_PARTS[bound.chosen.get("address part", ":all")]

    def parts(run: Run, name: str) -> Sequence[str]:
        return [value for address in run.facts.envelope(name) if (value := part(address)) is not None]

    return _over_names(bound, names, parts)


def _exists(bound: Bound) -> Code:
    names = _field_names(bound, bound.strings(0))
    return Plain(lambda run: all(run.facts.message().has(name) for name in names))


def _size(bound: Bound) -> Code:
    limit = bound.number(0)
    if "over or under" not in bound.chosen:
        return bound.fail(bound.at, "size needs :over or :under")
    if bound.has(":over"):
        return Plain(lambda run: run.facts.message().size_octets > limit)
    return Plain(lambda run: run.facts.message().size_octets < limit)


def _discard(bound: Bound) -> Code:
    return perform(Discard(), is_terminal=bound.stage != OUTSIDE)


def _redirect(bound: Bound) -> Code:
    given = bound.strings(0).items[0]
    addresses = addresses_in(given.value) if "<" in given.value else [given.value]
    mailbox = parse_mailbox(addresses[0]) if len(addresses) == 1 else None
    if not isinstance(mailbox, Mailbox):
        return bound.fail(given.at, f'"{given.value}" is not one address')
    return perform(Redirect(str(mailbox), bound.has(COPY.name)), is_terminal=False)


RFC5228 = (
    Spec("require", Kind.REQUIRE, positional=(_STRINGS,)),
    Spec("if", Kind.COMMAND, _if, tests=Tests.ONE, has_block=True),
    Spec("elsif", Kind.COMMAND, _if, tests=Tests.ONE, has_block=True, follows=("if", "elsif")),
    Spec("else", Kind.COMMAND, _if, has_block=True, follows=("if", "elsif")),
    Spec("stop", Kind.COMMAND, lambda bound: constant(True)),
    Spec("keep", Kind.COMMAND, lambda bound: perform(Keep.KEEP, is_terminal=False)),
    Spec("discard", Kind.COMMAND, _discard, stages=(OUTSIDE, "rcpt", "data")),
    Spec(
        "redirect",
        Kind.COMMAND,
        _redirect,
        tags=(COPY,),
        positional=(ArgumentType.STRING,),
        stages=(OUTSIDE,),
    ),
    Spec("true", Kind.TEST, lambda bound: constant(True)),
    Spec("false", Kind.TEST, lambda bound: constant(False)),
    Spec("not", Kind.TEST, _not, tests=Tests.ONE),
    Spec("anyof", Kind.TEST, _anyof, tests=Tests.LIST),
    Spec("allof", Kind.TEST, _allof, tests=Tests.LIST),
    Spec("header", Kind.TEST, _header, tags=MATCH_TAGS, positional=(_STRINGS, _STRINGS), stages=_WITH_MESSAGE),
    Spec(
        "address",
        Kind.TEST,
        _address,
        tags=MATCH_TAGS + _PART_TAGS,
        positional=(_STRINGS, _STRINGS),
        stages=_WITH_MESSAGE,
    ),
    Spec(
        "envelope",
        Kind.TEST,
        _envelope,
        capabilities=("envelope",),
        tags=MATCH_TAGS + _PART_TAGS,
        positional=(_STRINGS, _STRINGS),
    ),
    Spec("exists", Kind.TEST, _exists, positional=(_STRINGS,), stages=_WITH_MESSAGE),
    Spec(
        "size",
        Kind.TEST,
        _size,
        tags=(Tag(":over", "over or under"), Tag(":under", "over or under")),
        positional=(ArgumentType.NUMBER,),
        stages=_WITH_MESSAGE,
    ),
)

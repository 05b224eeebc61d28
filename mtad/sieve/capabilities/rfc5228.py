"""The base language (RFC 5228) with `envelope` (§5.4), and the address parts of `subaddress` (RFC 5233)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.sieve.actions import Discard, Keep, Redirect
from mtad.sieve.addresses import ADDRESS_PARTS, addresses_in
from mtad.sieve.code import Code, Plain, branch, constant, first_equal, negation, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag, Tests
from mtad.sieve.match import MATCH_TAGS, Source, compare
from mtad.sieve.message import Message
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.sources import (
    ENTITY_TAGS,
    INDEX_TAGS,
    OPTION_TAGS,
    Pick,
    entities_of,
    field_names,
    mime_reader,
    sources,
)

COPY = Tag(":copy", capability="copy")  # RFC 3894 §3
_TEXTS = ArgumentType.TEXTS
_PART_CAPABILITIES = {":user": "subaddress", ":detail": "subaddress"}
_PART_TAGS = tuple(Tag(name, "address part", capability=_PART_CAPABILITIES.get(name, "")) for name in ADDRESS_PARTS)
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


def _header(bound: Bound) -> Code:
    return compare(bound, bound.templates(1), sources(bound, field_names(bound, 0), mime_reader(bound)))


def _address(bound: Bound) -> Code:
    part = ADDRESS_PARTS[bound.chosen.get("address part", ":all")]

    def read(entity: Message, name: str, pick: Pick) -> Sequence[str]:
        return _parts(entity.addresses(name, pick), part)

    return compare(bound, bound.templates(1), sources(bound, field_names(bound, 0), read))


def _parts(addresses: Sequence[str], part: Callable[[str], str | None]) -> list[str]:
    return [value for address in addresses if (value := part(address)) is not None]


def _envelope(bound: Bound) -> Code:
    part = ADDRESS_PARTS[bound.chosen.get("address part", ":all")]
    parts: list[Source] = []
    for item in bound.strings(0).items:
        name = item.value.lower()
        stages = _ENVELOPE_STAGES.get(name)
        if stages is None:
            bound.fail(item.at, f'unknown envelope part "{item.value}": "from" or "to"')
        elif bound.stage not in stages:
            bound.fail(item.at, f'envelope "{item.value}" is not known in stage "{bound.stage}"')
        parts.append(_envelope_source(name, part))
    return compare(bound, bound.templates(1), parts)


def _envelope_source(name: str, part: Callable[[str], str | None]) -> Source:
    return lambda run: _parts(run.facts.envelope(name), part)


def _exists(bound: Bound) -> Code:
    names, entities = field_names(bound, 0), entities_of(bound)
    if entities is None:
        return Plain(lambda run: all(run.message().has(name.read(run)) for name in names))

    def ask(run: Run) -> bool:
        among = tuple(entities(run))
        run.spend(len(among) * len(names))
        return all(any(entity.has(name.read(run)) for entity in among) for name in names)

    return Plain(ask)


def _size(bound: Bound) -> Code:
    limit = bound.number(0)
    if "over or under" not in bound.chosen:
        return bound.fail(bound.at, "size needs :over or :under")
    if bound.has(":over"):
        return Plain(lambda run: run.message().size_octets > limit)
    return Plain(lambda run: run.message().size_octets < limit)


def _discard(bound: Bound) -> Code:
    return perform(Discard(), is_terminal=bound.stage != OUTSIDE)


def _redirect(bound: Bound) -> Code:
    address, is_copy = bound.template(bound.strings(0).items[0]), bound.has(COPY.name)
    if address.constant is None:
        return Plain(lambda run: run.act(Redirect(_target_now(address.read(run)), is_copy)))
    target = _target(address.constant)
    if target is None:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is not one address')
    return perform(Redirect(target, is_copy), is_terminal=False)


def _target(text: str) -> str | None:
    """Return the one address that this is, without a display name; None when it is none."""
    addresses = addresses_in(text) if "<" in text else [text]
    mailbox = parse_mailbox(addresses[0]) if len(addresses) == 1 else None
    return str(mailbox) if isinstance(mailbox, Mailbox) else None


def _target_now(text: str) -> str:
    target = _target(text)
    if target is None:
        raise ScriptFailed(f'redirect: "{text[:100]}" is not one address')
    return target


RFC5228 = (
    Spec("require", Kind.REQUIRE, positional=(ArgumentType.STRINGS,)),
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
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE,),
    ),
    Spec("true", Kind.TEST, lambda bound: constant(True)),
    Spec("false", Kind.TEST, lambda bound: constant(False)),
    Spec("not", Kind.TEST, _not, tests=Tests.ONE),
    Spec("anyof", Kind.TEST, _anyof, tests=Tests.LIST),
    Spec("allof", Kind.TEST, _allof, tests=Tests.LIST),
    Spec(
        "header",
        Kind.TEST,
        _header,
        tags=MATCH_TAGS + INDEX_TAGS + ENTITY_TAGS + OPTION_TAGS,
        positional=(_TEXTS, _TEXTS),
        stages=_WITH_MESSAGE,
    ),
    Spec(
        "address",
        Kind.TEST,
        _address,
        tags=MATCH_TAGS + _PART_TAGS + INDEX_TAGS + ENTITY_TAGS,
        positional=(_TEXTS, _TEXTS),
        stages=_WITH_MESSAGE,
    ),
    Spec(
        "envelope",
        Kind.TEST,
        _envelope,
        capabilities=("envelope",),
        tags=MATCH_TAGS + _PART_TAGS,
        positional=(ArgumentType.STRINGS, _TEXTS),
    ),
    Spec("exists", Kind.TEST, _exists, tags=ENTITY_TAGS, positional=(_TEXTS,), stages=_WITH_MESSAGE),
    Spec(
        "size",
        Kind.TEST,
        _size,
        tags=(Tag(":over", "over or under"), Tag(":under", "over or under")),
        positional=(ArgumentType.NUMBER,),
        stages=_WITH_MESSAGE,
    ),
)

"""The base language (RFC 5228), but for what sends mail elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from mtad.sieve.actions import Discard, Keep
from mtad.sieve.code import Code, Plain, branch, constant, first_equal, negation, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag, Tests
from mtad.sieve.match import MATCH_TAGS, compare
from mtad.sieve.message import Message
from mtad.sieve.run import Run
from mtad.sieve.sources import (
    ENTITY_TAGS,
    INDEX_TAGS,
    OPTION_TAGS,
    PART_TAGS,
    Pick,
    entities_of,
    field_names,
    mime_reader,
    part_of,
    parts,
    sources,
)

_NO_ADDRESSES = (  # RFC 5228 §5.1: who asks them for addresses is mistaken
    "subject", "date", "message-id", "in-reply-to", "references", "comments", "keywords", "received", "mime-version",
    "content-type", "content-disposition", "content-transfer-encoding", "dkim-signature", "authentication-results",
)  # fmt: skip
_TEXTS = ArgumentType.TEXTS
_WITH_MESSAGE = (OUTSIDE, "data")


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
    part = part_of(bound)
    for item in bound.strings(0).items:
        if item.value.lower() in _NO_ADDRESSES:
            return bound.fail(item.at, f'the field "{item.value}" holds no addresses')

    def read(entity: Message, name: str, pick: Pick) -> Sequence[str]:
        return parts(entity.addresses(name, pick), part)

    return compare(bound, bound.templates(1), sources(bound, field_names(bound, 0), read))


def _exists(bound: Bound) -> Code:
    names, entities = field_names(bound, 0), entities_of(bound)
    if entities is None:

        def ask_message(run: Run) -> bool:
            run.spend(len(names))
            return all(run.message().has(name.read(run)) for name in names)

        return Plain(ask_message)

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
    is_for_one = bound.stage == "rcpt" or bound.stands_in("foreachrcpt")
    if bound.has(":rcpt") and not is_for_one:
        return bound.fail(bound.at, 'discard :rcpt must stand in stage "rcpt" or in foreachrcpt')
    return perform(Discard(), is_terminal=bound.stage != OUTSIDE)


RFC5228 = (
    Spec("require", Kind.REQUIRE, positional=(ArgumentType.STRINGS,)),
    Spec("if", Kind.COMMAND, _if, tests=Tests.ONE, has_block=True),
    Spec("elsif", Kind.COMMAND, _if, tests=Tests.ONE, has_block=True, follows=("if", "elsif")),
    Spec("else", Kind.COMMAND, _if, has_block=True, follows=("if", "elsif")),
    Spec("stop", Kind.COMMAND, lambda bound: constant(True)),
    Spec("keep", Kind.COMMAND, lambda bound: perform(Keep.KEEP, is_terminal=False)),
    Spec(
        "discard",
        Kind.COMMAND,
        _discard,
        tags=(Tag(":rcpt", capability="vnd.mtad.verdict"),),
        stages=(OUTSIDE, "rcpt", "data", "deliver"),
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
        tags=MATCH_TAGS + PART_TAGS + INDEX_TAGS + ENTITY_TAGS,
        positional=(_TEXTS, _TEXTS),
        stages=_WITH_MESSAGE,
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

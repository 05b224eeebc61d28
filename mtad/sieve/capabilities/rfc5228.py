"""The base language (RFC 5228)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.mail.dsn_request import Notify, Return, read_notify
from mtad.sieve.actions import Discard, Keep, Redirect
from mtad.sieve.addresses import addresses_in
from mtad.sieve.code import Code, Plain, branch, constant, first_equal, negation, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag, Tests
from mtad.sieve.match import MATCH_TAGS, compare
from mtad.sieve.message import Message
from mtad.sieve.run import Run, ScriptFailed
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

COPY = Tag(":copy", capability="copy")  # RFC 3894 §3
_NOTIFY = Tag(":notify", value=ArgumentType.STRING, capability="redirect-dsn")
_RETURN = Tag(":ret", value=ArgumentType.STRING, capability="redirect-dsn")
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


def _redirect(bound: Bound) -> Code:
    address, is_copy = bound.template(bound.strings(0).items[0]), bound.has(COPY.name)
    target_of = _target if bound.stage == OUTSIDE else _target_of_policy
    notify, ret = _asked_notify(bound), _asked_return(bound)
    if address.constant is None:
        return Plain(lambda run: run.act(Redirect(_target_now(address.read(run), target_of), is_copy, notify, ret)))
    target = target_of(address.constant)
    if target is None:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is not one address')
    return perform(Redirect(target, is_copy, notify, ret), is_terminal=False)


def _asked_notify(bound: Bound) -> Notify:
    """Return of what the sender is to be told instead of what it has asked (RFC 6009)."""
    given = bound.tag_strings(_NOTIFY.name)
    if given is None:
        return Notify.UNSAID
    asked = read_notify(given.items[0].value)
    if asked is None:
        bound.fail(given.at, f'"{given.items[0].value}" is no NOTIFY (RFC 3461)')
    return asked or Notify.UNSAID


def _asked_return(bound: Bound) -> Return:
    given = bound.tag_strings(_RETURN.name)
    if given is None:
        return Return.UNSAID
    word = given.items[0].value.upper()
    if bound.stage != OUTSIDE:
        bound.fail(given.at, "redirect :ret is for plain scripts: in a policy the message has one RET for all")
    elif word not in (Return.FULL.value, Return.HEADERS.value):
        bound.fail(given.at, f'"{given.items[0].value}" is no RET: FULL or HDRS')
    else:
        return Return(word)
    return Return.UNSAID


def _target(text: str) -> str | None:
    """Return the one address that this is, without a display name; None when it is none."""
    addresses = addresses_in(text) if "<" in text else [text]
    mailbox = parse_mailbox(addresses[0]) if len(addresses) == 1 else None
    return str(mailbox) if isinstance(mailbox, Mailbox) else None


def _target_of_policy(text: str) -> str | None:
    """Return the same; None when it is no address that every next hop takes."""
    target = _target(text)
    return target if target is not None and target.isascii() and "@" in target else None


def _target_now(text: str, target_of: Callable[[str], str | None]) -> str:
    target = target_of(text)
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
    Spec(
        "discard",
        Kind.COMMAND,
        _discard,
        tags=(Tag(":rcpt", capability="vnd.mtad.verdict"),),
        stages=(OUTSIDE, "rcpt", "data"),
    ),
    Spec(
        "redirect",
        Kind.COMMAND,
        _redirect,
        tags=(COPY, _NOTIFY, _RETURN),
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE, "rcpt", "data"),
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

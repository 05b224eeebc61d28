"""`redirect` (RFC 5228 §4.2), and what it asks for the one that it sends to (RFC 3894 `:copy`, RFC 6009)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.mail.deliver_by import SECONDS_MAX, DeliverBy, Late, Within
from mtad.mail.dsn_request import Notify, Return, read_notify
from mtad.sieve.actions import Redirect
from mtad.sieve.addresses import addresses_in
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.run import Run, ScriptFailed

COPY = Tag(":copy", capability="copy")  # RFC 3894 §3
_NOTIFY = Tag(":notify", value=ArgumentType.STRING, capability="redirect-dsn")
_RETURN = Tag(":ret", value=ArgumentType.STRING, capability="redirect-dsn")
_DELIVERBY = "redirect-deliverby"
_RELATIVE = Tag(":bytimerelative", "time", ArgumentType.NUMBER, _DELIVERBY)
_ABSOLUTE = Tag(":bytimeabsolute", "time", ArgumentType.TEXT, _DELIVERBY)
_MODE = Tag(":bymode", value=ArgumentType.STRING, capability=_DELIVERBY)
_TRACE = Tag(":bytrace", capability=_DELIVERBY)
_MODES: Mapping[str, Late] = {"notify": Late.NOTIFY, "return": Late.RETURN}

_Time = Callable[[Run], DeliverBy]


def _redirect(bound: Bound) -> Code:
    address, is_copy = bound.template(bound.strings(0).items[0]), bound.has(COPY.name)
    target_of = _target if bound.stage == OUTSIDE else _target_of_policy
    notify, ret, time_of = _asked_notify(bound), _asked_return(bound), _asked_time(bound)
    target = None if address.constant is None else target_of(address.constant)
    if address.constant is not None and target is None:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is not one address')
    if target is not None and time_of is None:
        return perform(Redirect(target, is_copy, notify, ret), is_terminal=False)

    def act(run: Run) -> bool:
        there = target or _target_now(address.read(run), target_of)
        return run.act(Redirect(there, is_copy, notify, ret, None if time_of is None else time_of(run)))

    return Plain(act)


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


def _asked_time(bound: Bound) -> _Time | None:
    """Return what says by when it is to be delivered, in place of what the sender has said (RFC 6009)."""
    late, is_traced = _mode(bound), bound.has(_TRACE.name)
    seconds, moment = bound.tag_number(_RELATIVE.name), bound.tag_template(_ABSOLUTE.name)
    if seconds is not None:
        within = Within(seconds.value, late, is_traced)
        if seconds.value > SECONDS_MAX or not within.is_possible:
            least = 1 if late is Late.RETURN else 0
            bound.fail(seconds.at, f"{seconds.value} seconds are none to deliver in: {least} to {SECONDS_MAX}")
        return lambda run: within.from_now(_milliseconds(run.now()))
    if moment is None:
        if is_traced or bound.has(_MODE.name):
            bound.fail(bound.at, f"redirect {_MODE.name} and {_TRACE.name} need a time: {_RELATIVE.name} is one")
        return None
    if moment.constant is not None and _moment(moment.constant) is None:
        given = bound.tag_strings(_ABSOLUTE.name)
        bound.fail(bound.at if given is None else given.at, _no_moment(moment.constant))

    def read(run: Run) -> DeliverBy:
        text = moment.read(run)
        until = _moment(text)
        if until is None:
            raise ScriptFailed(f"redirect: {_no_moment(text)}")
        return DeliverBy(_milliseconds(until), late, is_traced)

    return read


def _mode(bound: Bound) -> Late:
    given = bound.tag_strings(_MODE.name)
    if given is None:
        return Late.NOTIFY
    late = _MODES.get(given.items[0].value.lower())
    if late is None:
        bound.fail(given.at, f'"{given.items[0].value}" is no mode: notify or return')
    return late or Late.NOTIFY


def _moment(text: str) -> datetime | None:
    """Return the moment that RFC 3339 writes so, in UTC.

    None for what is no such text, is before 1970, or is no year that a DSN can name.
    """
    try:
        moment = datetime.fromisoformat(text.upper())  # RFC 3339 §5.6: T and Z may be small
        until = None if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return until if until is not None and _milliseconds(until) >= 0 else None


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _no_moment(text: str) -> str:
    return f'"{text[:100]}" is no time with a zone: "2026-03-01T22:00:00+01:00" is one'


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


REDIRECT = (
    Spec(
        "redirect",
        Kind.COMMAND,
        _redirect,
        tags=(COPY, _NOTIFY, _RETURN, _RELATIVE, _ABSOLUTE, _MODE, _TRACE),
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE, "rcpt", "data"),
    ),
)

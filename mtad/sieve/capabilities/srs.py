"""Reverse-paths that lead back through us: the test `srs` (vnd.mtad.envelope), and what `setsender :srs` makes."""

from __future__ import annotations

from datetime import UTC, date

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.mail.srs import Srs
from mtad.sieve.actions import SetSender
from mtad.sieve.capabilities.variables import CAPABILITY as VARIABLES
from mtad.sieve.capabilities.variables import writer_of
from mtad.sieve.code import Code, Plain, constant
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.run import Run

_EPOCH = date(1970, 1, 1).toordinal()


def setsender_srs(bound: Bound) -> Code:
    """Make what puts the reverse-path under a domain of ours."""
    srs, domain = secrets_of(bound), bound.string(0)
    if not isinstance(parse_mailbox(f"x@{domain}"), Mailbox) or not domain.isascii():
        return bound.fail(bound.strings(0).at, f'setsender :srs needs a domain of ours, not "{domain}"')
    if srs is None:
        return constant(False)

    def set_sender(run: Run) -> bool:
        (path,) = run.facts.envelope("from")
        return run.act(SetSender(srs.made(path, domain, _day(run))))

    return Plain(set_sender)


def secrets_of(bound: Bound) -> Srs | None:
    """Return what makes and reads such paths; None where it has no secret, which is reported."""
    srs = bound.unit.outside.srs
    if srs is None:
        bound.fail(bound.at, "SRS needs its secrets, in the file srs.secrets beside the policy")
    return srs


def _srs(bound: Bound) -> Code:
    srs, address, into = secrets_of(bound), bound.templates(0)[0], bound.tag_strings(":into")
    write = writer_of(bound, into.items[0]) if into is not None else None
    if srs is None:
        return constant(False)

    def ask(run: Run) -> bool:
        found = srs.read(address.read(run), _day(run))
        if found is not None and write is not None:
            write(run, found)
        return found is not None

    return Plain(ask)


def _day(run: Run) -> int:
    return run.now().astimezone(UTC).date().toordinal() - _EPOCH


SRS = (
    Spec(
        "srs",
        Kind.TEST,
        _srs,
        capabilities=("vnd.mtad.envelope",),
        tags=(Tag(":into", value=ArgumentType.STRING, capability=VARIABLES),),
        positional=(ArgumentType.TEXT,),
        stages=("rcpt",),
    ),
)

"""Delivery into a mailbox: `fileinto` (RFC 5228 §4.1), with `:copy` (RFC 3894)."""

from __future__ import annotations

from mtad.sieve.actions import FileInto
from mtad.sieve.capabilities.redirect import COPY
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec
from mtad.sieve.run import ScriptFailed

_NAMELESS = "fileinto needs the name of a mailbox"


def _fileinto(bound: Bound) -> Code:
    mailbox, is_copy = bound.template(bound.strings(0).items[0]), bound.has(COPY.name)
    if mailbox.constant is None:
        return Plain(lambda run: run.act(FileInto(_named(mailbox.read(run)), is_copy)))
    if not mailbox.constant:
        return bound.fail(bound.strings(0).at, _NAMELESS)
    return perform(FileInto(mailbox.constant, is_copy), is_terminal=False)


def _named(mailbox: str) -> str:
    if not mailbox:
        raise ScriptFailed(_NAMELESS)
    return mailbox


FILEINTO = (
    Spec(
        "fileinto",
        Kind.COMMAND,
        _fileinto,
        capabilities=("fileinto",),
        tags=(COPY,),
        positional=(ArgumentType.TEXT,),
        stages=(OUTSIDE,),
    ),
)

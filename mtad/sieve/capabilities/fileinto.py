"""Delivery into a mailbox: `fileinto` (RFC 5228 §4.1), with `:copy` (RFC 3894)."""

from __future__ import annotations

from mtad.sieve.actions import FileInto
from mtad.sieve.capabilities.rfc5228 import COPY
from mtad.sieve.code import Code, perform
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec


def _fileinto(bound: Bound) -> Code:
    if not bound.string(0):
        return bound.fail(bound.strings(0).at, "fileinto needs the name of a mailbox")
    return perform(FileInto(bound.string(0), bound.has(COPY.name)), is_terminal=False)


FILEINTO = (
    Spec(
        "fileinto",
        Kind.COMMAND,
        _fileinto,
        capabilities=("fileinto",),
        tags=(COPY,),
        positional=(ArgumentType.STRING,),
        stages=(OUTSIDE,),
    ),
)

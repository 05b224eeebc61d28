"""Changes of the envelope: `setsender`, `setrcpt` (vnd.mtad.envelope)."""

from __future__ import annotations

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.sieve.actions import SetRecipient, SetSender
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec
from mtad.sieve.run import ScriptFailed


def _setsender(bound: Bound) -> Code:
    address = bound.templates(0)[0]
    if address.constant is None:
        return Plain(lambda run: run.act(SetSender(_path_now(address.read(run)))))
    path = _path(address.constant)
    if path is None:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is no address in ASCII')
    return perform(SetSender(path), is_terminal=False)


def _setrcpt(bound: Bound) -> Code:
    address = bound.templates(0)[0]
    if address.constant is None:
        return Plain(lambda run: run.act(SetRecipient(_recipient_now(address.read(run)))))
    path = _path(address.constant)
    if not path:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is no address in ASCII')
    return perform(SetRecipient(path), is_terminal=False)


def _recipient_now(text: str) -> str:
    path = _path(text)
    if not path:
        raise ScriptFailed(f'setrcpt: "{text[:100]}" is no address in ASCII')
    return path


def _path(text: str) -> str | None:
    """Return a path without brackets, '' for the null one; None when it is none that every next hop takes."""
    text = text[1:-1] if text[:1] == "<" and text[-1:] == ">" else text
    if not text:
        return text
    mailbox = parse_mailbox(text)
    return text if text.isascii() and isinstance(mailbox, Mailbox) and mailbox.domain else None


def _path_now(text: str) -> str:
    path = _path(text)
    if path is None:
        raise ScriptFailed(f'setsender: "{text[:100]}" is no address in ASCII')
    return path


CHANGE_ENVELOPE = (
    Spec(
        "setsender",
        Kind.COMMAND,
        _setsender,
        capabilities=("vnd.mtad.envelope",),
        positional=(ArgumentType.TEXT,),
        stages=("mail",),
    ),
    Spec(
        "setrcpt",
        Kind.COMMAND,
        _setrcpt,
        capabilities=("vnd.mtad.envelope",),
        positional=(ArgumentType.TEXT,),
        stages=("rcpt",),
    ),
)

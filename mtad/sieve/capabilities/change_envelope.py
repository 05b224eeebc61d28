"""Changes of the envelope: `setsender`, `setrcpt`, `addrcpt`, `delrcpt` (vnd.mtad.envelope)."""

from __future__ import annotations

from mtad.mail.address import Mailbox, parse_mailbox
from mtad.mail.dsn_request import Notify, RecipientRequest, read_notify, read_original
from mtad.sieve.actions import AddRecipient, DeleteRecipient, SetRecipient, SetSender
from mtad.sieve.capabilities.srs import SRS, setsender_srs
from mtad.sieve.code import Code, Plain, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.run import Run, ScriptFailed


def _setsender(bound: Bound) -> Code:
    if bound.has(":srs"):
        return setsender_srs(bound)
    if bound.has(":verp"):
        return _setsender_verp(bound)
    address = bound.templates(0)[0]
    if address.constant is None:
        return Plain(lambda run: run.act(SetSender(_path_now(address.read(run)))))
    path = _path(address.constant)
    if path is None:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is no address in ASCII')
    return perform(SetSender(path), is_terminal=False)


def _setsender_verp(bound: Bound) -> Code:
    """Make what has the reverse-path name each recipient; the null one stays what it is: of a bounce none is sent."""
    address = bound.templates(0)[0]
    if address.constant is not None and not _path(address.constant):
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is no address in ASCII')

    def set_sender(run: Run) -> bool:
        if not run.facts.envelope("from")[0]:
            return run.act(SetSender(""))
        return run.act(SetSender(_recipient_now("setsender :verp", address.read(run)), is_verp=True))

    return Plain(set_sender)


def _setrcpt(bound: Bound) -> Code:
    address = bound.templates(0)[0]
    if address.constant is None:
        return Plain(lambda run: run.act(SetRecipient(_recipient_now(bound.spec.name, address.read(run)))))
    path = _path(address.constant)
    if not path:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is no address in ASCII')
    return perform(SetRecipient(path), is_terminal=False)


def _addrcpt(bound: Bound) -> Code:
    notify, original = bound.tag_strings(":notify"), bound.tag_strings(":orcpt")
    is_hidden = bound.has(":hidden")
    if is_hidden and notify is not None:
        return bound.fail(notify.at, "addrcpt :hidden has no :notify: nobody hears of it")
    asked = Notify.NEVER if is_hidden else Notify.UNSAID
    if notify is not None:
        said = read_notify(notify.items[0].value)
        if said is None:
            return bound.fail(notify.at, f'"{notify.items[0].value}" is no NOTIFY (RFC 3461)')
        asked = said
    of = read_original(original.items[0].value) if original is not None else ""
    if of is None:
        return bound.fail(
            original.at if original is not None else bound.at, "no ORCPT (RFC 3461): rfc822;ann@example.org"
        )
    request, address = RecipientRequest(asked, of), bound.templates(0)[0]
    if address.constant is None:
        name = bound.spec.name
        return Plain(lambda run: run.act(AddRecipient(_recipient_now(name, address.read(run)), request, is_hidden)))
    path = _path(address.constant)
    if not path:
        return bound.fail(bound.strings(0).at, f'"{address.constant}" is no address in ASCII')
    return perform(AddRecipient(path, request, is_hidden), is_terminal=False)


def _delrcpt(bound: Bound) -> Code:
    if bound.stage != "rcpt" and not bound.stands_in("foreachrcpt"):
        return bound.fail(bound.at, 'delrcpt must stand in stage "rcpt" or in foreachrcpt')
    return perform(DeleteRecipient(), is_terminal=False)


def _recipient_now(command: str, text: str) -> str:
    path = _path(text)
    if not path:
        raise ScriptFailed(f'{command}: "{text[:100]}" is no address in ASCII')
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
    *SRS,
    Spec(
        "setsender",
        Kind.COMMAND,
        _setsender,
        capabilities=("vnd.mtad.envelope",),
        tags=(Tag(":srs", "form"), Tag(":verp", "form")),
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
    Spec(
        "addrcpt",
        Kind.COMMAND,
        _addrcpt,
        capabilities=("vnd.mtad.envelope",),
        tags=(
            Tag(":hidden"),
            Tag(":notify", value=ArgumentType.STRING),
            Tag(":orcpt", value=ArgumentType.STRING),
        ),
        positional=(ArgumentType.TEXT,),
        stages=("rcpt", "data"),
    ),
    Spec("delrcpt", Kind.COMMAND, _delrcpt, capabilities=("vnd.mtad.envelope",), stages=("rcpt", "data")),
)

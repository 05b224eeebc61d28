"""Verbs whose answer depends on nothing that was said before (RFC 5321 §3.5, §4.1.1.6 to §4.1.1.9, §4.2.4, §7.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mtad.mail.reply import Reply
from mtad.server.step import Step, Then

OK = Step(Reply.of(250, "2.0.0", "Ok"))
NEEDS_ARGUMENT = Step(Reply.of(501, "5.5.4", "This command needs an argument"))
NOT_IMPLEMENTED = Step(Reply.of(502, "5.5.1", "Command not implemented"))
_UNKNOWN = Step(Reply.of(500, "5.5.2", "Command not recognized"))
_NOT_SMTP = Step(Reply.of(554, "5.5.0", "This is an SMTP server"), Then.CLOSE)
_CANNOT_VRFY = Step(Reply.of(252, "2.5.2", "Cannot verify, but will take mail for it and try to deliver"))

_OTHER_PROTOCOLS = frozenset(  # cross-protocol attacks
    {b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"CONNECT", b"PATCH", b"DELETE", b"TRACE"}
)
_NOT_OFFERED = frozenset({b"EXPN", b"TURN", b"ETRN", b"XCLIENT", b"XFORWARD", b"SEND", b"SOML", b"SAML"})


def _noop(_argument: str) -> Step:
    return OK


def _vrfy(argument: str) -> Step:
    """Say neither yes nor no: who asks so is mostly collecting addresses (RFC 5321 §7.3)."""
    return _CANNOT_VRFY if argument else NEEDS_ARGUMENT


SIMPLE_VERBS: Mapping[bytes, Callable[[str], Step]] = {b"NOOP": _noop, b"VRFY": _vrfy}


def answer_unknown(name: bytes) -> Step:
    """Return the answer to a verb, in upper case, that is carried out nowhere; a client of another protocol leaves.

    name   b"" for a line that is empty or begins with a blank; no verb of SMTP begins with anything but a letter
    """
    if name in _OTHER_PROTOCOLS or (name and not name[:1].isalpha()):
        return _NOT_SMTP
    return NOT_IMPLEMENTED if name in _NOT_OFFERED else _UNKNOWN

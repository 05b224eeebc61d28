"""The arguments of MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3; and of extensions).

Those are RFC 1870 (SIZE), RFC 2852 (BY), RFC 3030, RFC 3461 (DSN), RFC 6152, RFC 6531 and draft-hall-prdr-00.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mtad.mail.address import BadPath, parse_path
from mtad.mail.deliver_by import SECONDS_MIN, Late, Within, read_by
from mtad.mail.dsn_request import (
    NO_MESSAGE_REQUEST,
    NO_REQUEST,
    MessageRequest,
    RecipientRequest,
    Return,
    read_envid,
    read_notify,
    read_original,
)
from mtad.mail.reply import Reply

_PATH = r' *<((?:"(?:[^"\\]|\\.)*"|[^">])*)>(?: +(.*))?'  # blanks before the path are wrong, and frequent
_FROM = re.compile("FROM:" + _PATH, re.IGNORECASE)
_TO = re.compile("TO:" + _PATH, re.IGNORECASE)
_PARAMETER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*)(?:=([^\x00-\x20=]+))?")
_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})+")  # RFC 3461 §4
_SIZE = re.compile(r"[0-9]{1,20}")  # RFC 1870 §3
_BODIES = frozenset({"7BIT", "8BITMIME", "BINARYMIME"})
_RETURNS = {one.value: one for one in Return if one}

_BAD_PARAMETER = Reply.of(501, "5.5.4", "Syntax error in parameters")
_UNKNOWN_PARAMETER = Reply.of(555, "5.5.4", "Parameter not recognized or not implemented")
_TOO_SOON = Reply.of(555, "5.5.4", f"Less than {SECONDS_MIN} seconds are too few to deliver in, or return")
_MAIL_SYNTAX = Reply.of(501, "5.5.4", "Syntax: MAIL FROM:<address> [parameters]")
_RCPT_SYNTAX = Reply.of(501, "5.5.4", "Syntax: RCPT TO:<address> [parameters]")
_NO_DOMAIN = Reply.of(501, "5.1.7", "Address needs a domain")
_NULL_RECIPIENT = Reply.of(501, "5.1.3", "The null path is no recipient")
_NEEDS_UTF8 = Reply.of(553, "5.6.7", "Address needs SMTPUTF8")


@dataclass(frozen=True, slots=True)
class MailArgument:
    """What the client said with MAIL. `path` is '' for the null reverse-path."""

    path: str
    size_octets: int = 0
    is_8bit: bool = False
    is_utf8: bool = False
    is_binary: bool = False
    is_prdr: bool = False
    request: MessageRequest = NO_MESSAGE_REQUEST
    within: Within | None = None


@dataclass(frozen=True, slots=True)
class RcptArgument:
    """What the client said with RCPT."""

    path: str
    request: RecipientRequest = NO_REQUEST


def _size(said: MailArgument, value: str | None) -> MailArgument | Reply:
    if value is None or not _SIZE.fullmatch(value):
        return _BAD_PARAMETER
    return replace(said, size_octets=int(value))


def _body(said: MailArgument, value: str | None) -> MailArgument | Reply:
    if value is None or value.upper() not in _BODIES:
        return _BAD_PARAMETER
    return replace(said, is_8bit=value.upper() == "8BITMIME", is_binary=value.upper() == "BINARYMIME")


def _utf8(said: MailArgument, value: str | None) -> MailArgument | Reply:
    return _BAD_PARAMETER if value is not None else replace(said, is_utf8=True)


def _prdr(said: MailArgument, value: str | None) -> MailArgument | Reply:
    return _BAD_PARAMETER if value is not None else replace(said, is_prdr=True)


def _ret(said: MailArgument, value: str | None) -> MailArgument | Reply:
    ret = _RETURNS.get((value or "").upper())
    return _BAD_PARAMETER if ret is None else replace(said, request=replace(said.request, ret=ret))


def _envid(said: MailArgument, value: str | None) -> MailArgument | Reply:
    envid = read_envid(value or "")
    return _BAD_PARAMETER if envid is None else replace(said, request=replace(said.request, envid=envid))


def _by(said: MailArgument, value: str | None) -> MailArgument | Reply:
    """Take how much time there is; what must not be late needs the least that EHLO names (RFC 2852 §4)."""
    within = read_by(value or "")
    if within is None:
        return _BAD_PARAMETER
    return _TOO_SOON if within.late is Late.RETURN and within.seconds < SECONDS_MIN else replace(said, within=within)


def _notify(said: RcptArgument, value: str | None) -> RcptArgument | Reply:
    notify = read_notify(value or "")
    return _BAD_PARAMETER if notify is None else replace(said, request=replace(said.request, notify=notify))


def _orcpt(said: RcptArgument, value: str | None) -> RcptArgument | Reply:
    original = read_original(value or "")
    return _BAD_PARAMETER if original is None else replace(said, request=replace(said.request, original=original))


def _auth(said: MailArgument, value: str | None) -> MailArgument | Reply:
    """Take who is said to have submitted the mail first, as RFC 4954 §5 asks; nothing here believes it."""
    return said if value is not None and _XTEXT.fullmatch(value) else _BAD_PARAMETER


_MAIL_PARAMETERS: Mapping[str, Callable[[MailArgument, str | None], MailArgument | Reply]] = {
    "SIZE": _size,
    "BODY": _body,
    "SMTPUTF8": _utf8,
    "PRDR": _prdr,  # draft-hall-prdr-00 §4.2
    "AUTH": _auth,
    "RET": _ret,
    "ENVID": _envid,
    "BY": _by,
}
_RCPT_PARAMETERS: Mapping[str, Callable[[RcptArgument, str | None], RcptArgument | Reply]] = {
    "NOTIFY": _notify,
    "ORCPT": _orcpt,
}


def _split(parameters: str | None) -> Mapping[str, str | None] | Reply:
    """Return the parameters by name, in upper case."""
    found: dict[str, str | None] = {}
    for text in (parameters or "").split():
        parameter = _PARAMETER.fullmatch(text)
        if parameter is None or parameter[1].upper() in found:
            return _BAD_PARAMETER
        found[parameter[1].upper()] = parameter[2]
    return found


def parse_mail(
    argument: str, *, is_binary_offered: bool = False, is_auth_offered: bool = False, is_prdr_offered: bool = True
) -> MailArgument | Reply:
    """Parse what stands behind MAIL, or return what is wrong with it."""
    found = _FROM.fullmatch(argument)
    if found is None:
        return _MAIL_SYNTAX
    path = parse_path(found[1])
    if isinstance(path, BadPath):
        return Reply.of(501, "5.1.7", path.why)
    if path is not None and not path.domain:
        return _NO_DOMAIN  # `postmaster` alone is a recipient (RFC 5321 §4.1.1.3), and no way back
    parameters = _split(found[2])
    if isinstance(parameters, Reply):
        return parameters
    said = MailArgument("" if path is None else str(path))
    for name, value in parameters.items():
        read = _MAIL_PARAMETERS.get(name)
        if read is None or (read is _auth and not is_auth_offered) or (read is _prdr and not is_prdr_offered):
            return _UNKNOWN_PARAMETER
        result = read(said, value)
        if isinstance(result, Reply):
            return result
        said = result
    if said.is_binary and not is_binary_offered:
        return _BAD_PARAMETER
    return said if said.is_utf8 or said.path.isascii() else _NEEDS_UTF8


def parse_rcpt(argument: str, *, is_utf8: bool) -> RcptArgument | Reply:
    """Parse what stands behind RCPT, or return what is wrong with it."""
    found = _TO.fullmatch(argument)
    if found is None:
        return _RCPT_SYNTAX
    path = parse_path(found[1])
    if isinstance(path, BadPath):
        return Reply.of(501, "5.1.3", path.why)
    if path is None:
        return _NULL_RECIPIENT
    if not is_utf8 and not str(path).isascii():
        return _NEEDS_UTF8
    said = RcptArgument(str(path))
    if not found[2]:
        return said
    parameters = _split(found[2])
    if isinstance(parameters, Reply):
        return parameters
    for name, value in parameters.items():
        read = _RCPT_PARAMETERS.get(name)
        if read is None:
            return _UNKNOWN_PARAMETER
        result = read(said, value) if is_utf8 or value is None or value.isascii() else _BAD_PARAMETER
        if isinstance(result, Reply):
            return result
        said = result
    return said

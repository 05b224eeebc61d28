"""The octets of commands and contents as a next hop gets them: only what it offers, and nothing that ends a line early.

RFC 1870 (SIZE), RFC 2852 (DELIVERBY), RFC 3030 (BINARYMIME), RFC 3461 (DSN), RFC 5321 §4.5.2, RFC 6152 (8BITMIME),
RFC 6531 (SMTPUTF8), draft-hall-prdr-00 (PRDR).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping

from mtad.delivery.client_events import Mail
from mtad.mail.deliver_by import least_seconds
from mtad.mail.dsn_request import MessageRequest, RecipientRequest, notify_text, original_text, xtext
from mtad.mail.reply import Reply
from mtad.mail.utf8 import ascii_address

_NO_UTF8_ADDRESS = Reply.of(553, "5.6.7", "The address needs SMTPUTF8, which the next hop does not offer")
_NO_UTF8_HEADER = Reply.of(550, "5.6.9", "The header needs SMTPUTF8, which the next hop does not offer")
TOO_LATE = Reply.of(554, "5.4.7", "The time by which it was to be delivered is over")
_NO_TIME_KEPT = Reply.of(554, "5.4.7", "The next hop cannot be asked to deliver it in time or return it")
_UNSAFE_IN_PATH = re.compile(r"[\x00-\x1f\x7f<>]")


def path_octets(address: str, *, is_utf8: bool) -> bytes | None:
    """Return an address as it stands between angle brackets; None when it may not be sent so.

    Where SMTPUTF8 is not spoken a domain has an ASCII form, and a local part has none (RFC 6531 §3.2).
    """
    if _UNSAFE_IN_PATH.search(address):
        return None
    sent = address if is_utf8 else ascii_address(address)
    try:
        return None if sent is None else sent.encode("utf-8")
    except UnicodeEncodeError:
        return None


def speaks_utf8(mail: Mail, extensions: Container[str]) -> bool:
    """Tell whether a message goes with SMTPUTF8 to a next hop that offers this."""
    return mail.is_utf8 and "SMTPUTF8" in extensions


def objection(mail: Mail, extensions: Mapping[str, str]) -> Reply | None:
    """Return why a message cannot go to a next hop that offers this; None when it can, as far as is known yet."""
    if mail.is_binary and not {"BINARYMIME", "CHUNKING"} <= extensions.keys():
        return Reply.of(554, "5.6.3", "The next hop does not take binary content")  # RFC 3030 §3
    if not speaks_utf8(mail, extensions):  # RFC 6531 §3.2: nothing is downgraded
        if path_octets(mail.path, is_utf8=False) is None:
            return _NO_UTF8_ADDRESS
        if mail.has_utf8_fields:
            return _NO_UTF8_HEADER
    size_max = extensions.get("SIZE", "")
    if size_max.isdecimal() and 0 < int(size_max[:18]) < mail.size_octets:
        return Reply.of(552, "5.3.4", f"Message larger than the next hop takes ({size_max[:18]} octets)")
    return None


def objection_to_time(mail: Mail, extensions: Mapping[str, str], *, is_mailbox: bool, is_told: bool) -> Reply | None:
    """Return why a message cannot go to a next hop if it is not to be delivered late (RFC 2852 §4.1.4).

    is_mailbox   the next hop delivers to the mailbox at once, unless it says that it keeps to a time
    is_told      MAIL has said how much time is left: that was enough for the next hop, which keeps to it since
    """
    by = mail.request.by
    if by is None or not by.is_return:
        return None
    left_seconds = by.left(mail.now_ms).seconds
    if left_seconds <= 0:
        return TOO_LATE
    if is_told:
        return None
    if "DELIVERBY" not in extensions:
        return None if is_mailbox else _NO_TIME_KEPT
    return None if least_seconds(extensions["DELIVERBY"]) <= left_seconds else _NO_TIME_KEPT


def mail_command(mail: Mail, extensions: Container[str]) -> bytes | None:
    """Return MAIL with the parameters of what the next hop offers; None for a path that may not be sent.

    Eight bits go on even where 8BITMIME is not offered, binary content does not: see `objection`.
    """
    path = path_octets(mail.path, is_utf8=speaks_utf8(mail, extensions))
    if path is None:
        return None
    parameters = [
        text
        for is_wanted, keyword, text in (
            (mail.size_octets > 0, "SIZE", b" SIZE=%d" % mail.size_octets),
            (mail.is_binary, "BINARYMIME", b" BODY=BINARYMIME"),
            ((mail.is_8bit or mail.is_utf8) and not mail.is_binary, "8BITMIME", b" BODY=8BITMIME"),
            (mail.is_utf8, "SMTPUTF8", b" SMTPUTF8"),
            (True, "DSN", _mail_request(mail.request)),
            (mail.request.by is not None, "DELIVERBY", _by(mail)),
            (True, "PRDR", b" PRDR"),  # how many recipients will follow is not known yet
        )
        if is_wanted and keyword in extensions
    ]
    return b"MAIL FROM:<%b>%b\r\n" % (path, b"".join(parameters))


def rcpt_command(
    address: str, request: RecipientRequest, extensions: Container[str], *, is_utf8: bool
) -> bytes | Reply | None:
    """Return RCPT, or why the next hop is not asked; None for a path that may be sent to nobody.

    is_utf8   MAIL said SMTPUTF8
    """
    path = path_octets(address, is_utf8=is_utf8)
    if path is None:
        return None if path_octets(address, is_utf8=True) is None else _NO_UTF8_ADDRESS
    parameters = _rcpt_request(request) if "DSN" in extensions else b""
    return b"RCPT TO:<%b>%b\r\n" % (path, parameters)


def _mail_request(request: MessageRequest) -> bytes:
    """Return the parameters of MAIL that pass the sender's request on (RFC 3461 §5.2.1)."""
    ret = f" RET={request.ret}" if request.ret else ""
    envid = f" ENVID={xtext(request.envid)}" if request.envid else ""
    return (ret + envid).encode("ascii")


def _by(mail: Mail) -> bytes:
    """Return the parameter of MAIL that says how much time is left (RFC 2852 §4.1.4)."""
    return b"" if mail.request.by is None else f" BY={mail.request.by.left(mail.now_ms)}".encode("ascii")


def _rcpt_request(request: RecipientRequest) -> bytes:
    """Return the parameters of RCPT that pass the sender's request on."""
    notify = f" NOTIFY={notify_text(request.notify)}" if request.notify else ""
    original = f" ORCPT={original_text(request.original)}" if request.original else ""
    return (notify + original).encode("ascii")


def stuffed(content: bytes) -> bytes | None:
    """Return the content with its dots doubled (RFC 5321 §4.5.2), without the final dot.

    None when it may not be sent: a CR or LF that stands alone, or no CRLF at the end. The server has normalised
    content long before, so this is our own fault.
    """
    lines_count = content.count(b"\r\n")
    if content.count(b"\n") != lines_count or content.count(b"\r") != lines_count:
        return None
    if content and not content.endswith(b"\r\n"):
        return None
    doubled = content.replace(b"\r\n.", b"\r\n..")
    return b"." + doubled if doubled.startswith(b".") else doubled

"""The octets of commands and contents as a next hop gets them: only what it offers, and nothing that ends a line early.

RFC 1870 (SIZE), RFC 3030 (BINARYMIME), RFC 3461 (DSN), RFC 5321 §4.5.2, RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8).
"""

from __future__ import annotations

import re
from collections.abc import Container

from mtad.delivery.client_events import Mail
from mtad.mail.dsn_request import MessageRequest, RecipientRequest, notify_text, original_text, xtext

_UNSAFE_IN_PATH = re.compile(r"[\x00-\x1f\x7f<>]")


def path_octets(address: str, *, is_utf8: bool) -> bytes | None:
    """Return an address as it stands between angle brackets; None when it may not be sent so."""
    if _UNSAFE_IN_PATH.search(address):
        return None
    try:
        return address.encode("utf-8" if is_utf8 else "ascii")
    except UnicodeEncodeError:
        return None


def mail_command(mail: Mail, extensions: Container[str]) -> bytes | None:
    """Return MAIL with the parameters of what the next hop offers; None for a path that may not be sent.

    Eight bits go on even where 8BITMIME is not offered, binary content does not: see ClientProtocol.objection.
    """
    path = path_octets(mail.reverse_path, is_utf8=mail.is_utf8)
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
        )
        if is_wanted and keyword in extensions
    ]
    return b"MAIL FROM:<%b>%b\r\n" % (path, b"".join(parameters))


def rcpt_command(address: str, request: RecipientRequest, extensions: Container[str], *, is_utf8: bool) -> bytes | None:
    """Return RCPT; None for a path that may not be sent."""
    path = path_octets(address, is_utf8=is_utf8)
    if path is None:
        return None
    parameters = _rcpt_request(request) if "DSN" in extensions else b""
    return b"RCPT TO:<%b>%b\r\n" % (path, parameters)


def _mail_request(request: MessageRequest) -> bytes:
    """Return the parameters of MAIL that pass the sender's request on (RFC 3461 §5.2.1)."""
    ret = f" RET={request.ret}" if request.ret else ""
    envid = f" ENVID={xtext(request.envid)}" if request.envid else ""
    return (ret + envid).encode("ascii")


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

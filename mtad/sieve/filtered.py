"""What a program has made of a message (vnd.dovecot.filter): whether that is one, and its lines as SMTP has them."""

from __future__ import annotations

import re

from mtad.mail.lines import has_long_line

LINE_OCTETS_MAX = 1 << 20  # as of what comes in
_BARE_LF = re.compile(rb"(?<!\r)\n")
_BARE_CR = re.compile(rb"\r(?!\n)")
_NO_FIELD = re.compile(rb"^(?![!-9;-~]+[ \t]*:|[ \t])[^\r]", re.MULTILINE)  # neither begins nor goes on
_RECEIVED = re.compile(rb"^Received[ \t]*:", re.MULTILINE | re.IGNORECASE)


class BadMessage(str):
    """Why it is none."""

    __slots__ = ()


def message_of(output: bytes, before: bytes) -> bytes | BadMessage:
    """Return what was written, its lines ended by CR LF; it must be a message, and no way around what finds loops.

    before   the message that the program was given
    """
    if not output:
        return BadMessage("it wrote nothing")
    content = _BARE_LF.sub(b"\r\n", output)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    header = _header(content)
    if content[:1] in b" \t" or _NO_FIELD.search(header):
        return BadMessage("it wrote no header section")
    if b"\0" in content or _BARE_CR.search(content):
        return BadMessage("it wrote a NUL, or a CR that ends no line")
    if has_long_line(content, LINE_OCTETS_MAX):
        return BadMessage(f"it wrote a line of more than {LINE_OCTETS_MAX} octets")
    if len(_RECEIVED.findall(header)) < len(_RECEIVED.findall(_header(before))):
        return BadMessage("it took out Received fields, by which loops are found")
    return content


def _header(content: bytes) -> bytes:
    """Return the header section, the line ends of its fields included."""
    if content.startswith(b"\r\n"):
        return b""
    end = content.find(b"\r\n\r\n")
    return content if end < 0 else content[: end + 2]

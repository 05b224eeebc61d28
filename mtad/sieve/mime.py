"""What the header fields of a MIME entity say of its content (RFC 2045 §5, RFC 2183, RFC 2231), and how it is cut."""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from mtad.sieve.allowance import Allowance, Share
from mtad.sieve.comments import without_comments
from mtad.sieve.encoded_word import characters, is_charset

LENGTH_MAX = 1 << 15  # of a field; the rest is not looked at
PARAMETERS_MAX = 100  # of one field; the rest is not looked at
PARTS_MAX = 1000  # of one multipart; the last of them is all the rest
_LINE_LENGTH = 200  # of a boundary with the blanks behind it

_WORD = r"[^\s()<>@,;:\\\"/\[\]?=]++"
_VALUE = re.compile(rf"\s*+({_WORD})(?:\s*+/\s*+({_WORD}))?")
_PARAMETER = re.compile(rf';\s*+({_WORD})\s*+=\s*+(?:"((?:[^"\\]++|\\.)*+)"?|([^\s;"]*+))[^;]*+', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTINUED = re.compile(r"(.+?)(?:\*(\d{1,3}))?(\*)?\Z")  # RFC 2231 §4.1
_NO_BASE64 = re.compile(rb"[^A-Za-z0-9+/]++")
_SOFT_END = re.compile(rb"=[ \t]++(?=\r?\n)")


class FieldValue(NamedTuple):
    """What Content-Type and other structured fields say; types and the names of parameters are folded."""

    type: str
    subtype: str
    parameters: Mapping[str, str]


TEXT = FieldValue("text", "plain", {})  # RFC 2045 §5.2
MESSAGE = FieldValue("message", "rfc822", {})


def field_value(text: str) -> FieldValue | None:
    """Take a field's value apart; None when it has not the form of one."""
    text = without_comments(text[:LENGTH_MAX])
    found = _VALUE.match(text)
    if found is None:
        return None
    return FieldValue(found[1].lower(), (found[2] or "").lower(), _parameters(text, found.end()))


def _parameters(text: str, at: int) -> dict[str, str]:
    plain: dict[str, str] = {}
    continued: dict[str, dict[int, tuple[str, bool]]] = {}
    for index, found in enumerate(_PARAMETER.finditer(text, at)):
        if index >= PARAMETERS_MAX:
            break
        value = _ESCAPED.sub(r"\1", found[2]) if found[2] is not None else found[3]
        name = _CONTINUED.match(found[1].lower())
        if name is None or (name[2] is None and name[3] is None):
            plain.setdefault(found[1].lower(), value)
        else:
            continued.setdefault(name[1], {}).setdefault(int(name[2] or 0), (value, name[3] is not None))
    return plain | {name: _assembled(pieces) for name, pieces in continued.items()}


def _assembled(pieces: Mapping[int, tuple[str, bool]]) -> str:
    """Put a parameter together that came in pieces or percent-encoded (RFC 2231 §3, §4)."""
    octets = b""
    charset = "utf-8"
    for number in range(len(pieces)):
        if number not in pieces:
            break
        value, is_encoded = pieces[number]
        if is_encoded and number == 0 and value.count("'") >= 2:
            charset, _, value = value.split("'", 2)
        raw = value.encode("utf-8", "surrogateescape")
        octets += unquote_to_bytes(raw) if is_encoded else raw
    return text_of(octets, charset)


def text_of(octets: bytes, charset: str) -> str:
    """Decode text; what is of no known character set is taken for UTF-8."""
    if is_charset(charset):
        try:
            return characters(octets, charset)
        except (LookupError, UnicodeError):
            pass
    return octets.decode("utf-8", "surrogateescape")


def transfer_decoded(octets: bytes, encoding: str) -> bytes:
    """Undo a Content-Transfer-Encoding (RFC 2045 §6); what cannot be decoded stays as it is."""
    if encoding == "quoted-printable":
        return quopri.decodestring(_SOFT_END.sub(b"=", octets))  # (3): blanks at the end of a line are none
    if encoding == "base64":
        try:
            return base64.b64decode(octets + b"==")  # ends at the first padding, as with most readers
        except binascii.Error:  # a digit too many
            return base64.b64decode(_NO_BASE64.sub(b"", octets)[:-1] + b"==")
    return octets


class Cut(NamedTuple):
    """Where a multipart's pieces lie: what stands before, each part, what stands behind."""

    prologue: tuple[int, int]
    parts: list[tuple[int, int]]
    epilogue: tuple[int, int]


def cut(content: bytes, start: int, end: int, boundary: str, allowance: Allowance) -> Cut:
    """Cut the body of a multipart (RFC 2046 §5.1.1). A line end before a boundary belongs to the boundary.

    Behind the last part of which the allowance lets it see the end, all the rest is one.
    """
    mark = b"--" + boundary.encode("utf-8", "surrogateescape")
    parts: list[tuple[int, int]] = []
    prologue = (start, end)
    opened: int | None = None
    at = start
    while (found := content.find(mark, at, end)) >= 0 and len(parts) < PARTS_MAX - 1:
        if not allowance.take(Share.MARKS, 1):
            break
        at = found + len(mark)
        if found > start and content[found - 1] != 0x0A:
            continue
        line = content[at : min(end, at + _LINE_LENGTH)].partition(b"\n")[0]
        line_end = min(end, at + len(line) + 1)
        is_last = line.startswith(b"--")
        if line.removeprefix(b"--").strip():
            continue
        before = _without_line_end(content, start if opened is None else opened, found)
        if opened is None:
            prologue = (start, before)
        else:
            parts.append((opened, before))
        if is_last:
            return Cut(prologue, parts, (line_end, end))
        opened = at = line_end
    if opened is not None:
        parts.append((opened, end))
    return Cut(prologue, parts, (end, end))


def _without_line_end(content: bytes, start: int, end: int) -> int:
    if end > start and content[end - 1] == 0x0A:
        end -= 1
        if end > start and content[end - 1] == 0x0D:
            end -= 1
    return max(start, end)

"""Decodes encoded words in header fields (RFC 2047). What cannot be decoded stays as it is."""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re

_LENGTH_MAX = 1000  # RFC 2047 §2 allows 75; many write more
_WORD = re.compile(rf"=\?([^?*\s]{{1,40}})(?:\*[^?\s]{{0,20}})?\?([bBqQ])\?([^?]{{0,{_LENGTH_MAX}}})\?=")
_BETWEEN = re.compile(r"(\?=)\s++(?==\?)")  # RFC 2047 §6.2: white space between encoded words is not shown
_CHARSET = re.compile(  # Python knows many more "encodings", some of which are slow or no character sets at all
    r"(?:utf-?(?:8|(?:16|32)(?:le|be)?)|(?:us-)?ascii|iso[-_]?8859[-_]\d+|latin-?[1-9]|iso-2022-(?:jp|kr)[-\w]*"
    r"|windows-\d+|cp\d+|koi8-[rtu]|gb2312|gbk|gb18030|hz-gb-2312|ks_c_5601-1987|big5(?:-hkscs)?|euc-(?:jp|kr)|shift_jis"
    r"|tis-620|macintosh)\Z",
    re.IGNORECASE,
)
_EACH_OCTET = bytes(range(256))


def is_charset(name: str) -> bool:
    """Tell whether this is the name of a character set that we decode."""
    return _CHARSET.match(name) is not None


def characters(octets: bytes, charset: str) -> str:
    """Return the text of octets in one of these sets, U+FFFD for what is no character.

    Where an octet is a character, Python replaces them one by one, a hundred times slower than it decodes by a table.
    Errors: LookupError, UnicodeError.
    """
    try:
        return octets.decode(charset)
    except UnicodeDecodeError:
        table = _EACH_OCTET.decode(charset, "replace")
        if len(table) == len(_EACH_OCTET):
            return codecs.charmap_decode(octets, "replace", table)[0]
        return octets.decode(charset, "replace")


def decoded(value: str) -> str:
    """Return the value with its encoded words decoded."""
    if "=?" not in value:
        return value
    return _WORD.sub(_decode, _BETWEEN.sub(r"\1", value))


def _decode(match: re.Match[str]) -> str:
    charset, encoding, text = match[1], match[2], match[3]
    if not is_charset(charset):
        return match[0]
    try:
        octets = _octets(encoding, text.encode("utf-8", "surrogateescape"))
        return characters(octets, charset)
    except (binascii.Error, LookupError, UnicodeError):
        return match[0]


def _octets(encoding: str, text: bytes) -> bytes:
    if encoding in "qQ":
        return quopri.decodestring(text, header=True)
    return base64.b64decode(text + b"=" * (-len(text) % 4))

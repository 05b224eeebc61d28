"""Decodes encoded words in header fields (RFC 2047). What cannot be decoded stays as it is."""

from __future__ import annotations

import base64
import binascii
import codecs
import quopri
import re
from functools import lru_cache

_LENGTH_MAX = 1000  # RFC 2047 §2 allows 75; many write more
_WORD = re.compile(rf"=\?([^?*\s]{{1,40}})(?:\*[^?\s]{{0,20}})?\?([bBqQ])\?([^?]{{0,{_LENGTH_MAX}}})\?=")
_BETWEEN = re.compile(r"(\?=)\s++(?==\?)")  # RFC 2047 §6.2: white space between encoded words is not shown
# Python knows many more "encodings", some of which are slow or no character sets at all, and looks for a module of each
# name that it does not know: it is asked for those that it has.
_OF_OCTETS = re.compile(  # each octet is a character
    r"(?:(?:us-)?ascii|iso[-_]?8859[-_](?:[1-9]|1[013-6])|latin-?1|latin[2-9]|windows-125[0-8]|koi8-[rtu]|tis-620|macintosh"
    r"|cp(?:037|154|273|367|424|437|500|720|737|775|819|85[025-8]|86[0-69]|87[45]|1006|1026|1051|1125|1140|125[0-8]))\Z",
    re.IGNORECASE,
)
_WIDE = re.compile(r"utf-?(?:16|32)(?:le|be)?\Z", re.IGNORECASE)  # each character is of more octets
_OF_MORE = re.compile(
    r"(?:utf-?8|iso-2022-(?:jp(?:-[123]|-2004|-ext)?|kr)|cp(?:932|936|949|950|1361|65001)|gb2312|gbk|gb18030|hz-gb-2312"
    r"|ks_c_5601-1987|big5(?:-hkscs)?|euc-(?:jp|kr)|shift_jis)\Z",
    re.IGNORECASE,
)
_EACH_OCTET = bytes(range(256))
_TABLES_MAX = 256  # there are fewer such names


def is_charset(name: str) -> bool:
    """Tell whether this is the name of a character set that we decode."""
    return any(known.match(name) for known in (_OF_MORE, _OF_OCTETS, _WIDE))


def is_wide(charset: str) -> bool:
    """Tell whether all characters of this set are of two octets or more."""
    return _WIDE.match(charset) is not None


def characters(octets: bytes, charset: str) -> str:
    """Return the text of octets in one of these sets, U+FFFD for what is no character.

    Where an octet is a character, Python replaces them one by one, a hundred times slower than it decodes by a table.
    Errors: LookupError, UnicodeError.
    """
    if _OF_OCTETS.match(charset):
        return codecs.charmap_decode(octets, "replace", _table(charset.lower()))[0]
    return octets.decode(charset, "replace")


@lru_cache(maxsize=_TABLES_MAX)
def _table(charset: str) -> str:
    return _EACH_OCTET.decode(charset, "replace")


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

"""Octets and characters written by their numbers in strings: the extension `encoded-character` (RFC 5228 §2.4.2.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass

CAPABILITY = "encoded-character"

_BLANKS = r"[ \t\r\n]"
_ENCODED = re.compile(
    rf"\$\{{(?:(?i:hex):(?P<octets>{_BLANKS}*+(?:[0-9A-Fa-f]{{1,2}}(?:{_BLANKS}++|(?=\}})))++)"
    rf"|(?i:unicode):(?P<characters>{_BLANKS}*+(?:[0-9A-Fa-f]++(?:{_BLANKS}++|(?=\}})))++))\}}"
)
_OCTETS = re.compile("[\udc80-\udcff]+")  # as surrogateescape writes them
_CHARACTER_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


@dataclass(frozen=True, slots=True)
class NoCharacter:
    """A number that is that of no character."""

    number: str


def characters_decoded(text: str) -> str | NoCharacter:
    """Return the text with `${hex:...}` and `${unicode:...}` replaced; what has not their form stays as it is."""
    if "${" not in text:
        return text
    for found in _ENCODED.finditer(text):
        for number in (found["characters"] or "").split():
            value = int(number, 16)
            if value > _CHARACTER_MAX or value in _SURROGATES:
                return NoCharacter(number)
    return _OCTETS.sub(_joined, _ENCODED.sub(_decoded, text))


def _decoded(match: re.Match[str]) -> str:
    if match["octets"] is not None:
        octets = bytes(int(pair, 16) for pair in match["octets"].split())
        return octets.decode("ascii", "surrogateescape")
    return "".join(chr(int(number, 16)) for number in match["characters"].split())


def _joined(match: re.Match[str]) -> str:
    """Read octets as the UTF-8 that they may be, also where several encodings stand side by side."""
    return match[0].encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")

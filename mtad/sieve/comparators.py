"""Comparators: how values are made comparable (RFC 4790 §9, RFC 5051)."""

from __future__ import annotations

import re
import string
import sys
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_DIGITS = re.compile(r"0*([0-9]*)")
_LETTERS = tuple(zip(string.ascii_uppercase, string.ascii_lowercase, strict=True))


def ascii_casemap(text: str) -> str:
    """Fold A to Z and nothing else (RFC 4790 §9.2): no other letter may become an ASCII one."""
    if text.isascii():
        return text.lower()
    try:
        return text.encode().lower().decode()  # octets know ASCII alone
    except UnicodeEncodeError:  # octets that are no UTF-8, for each of which Python would stop
        for upper, lower in _LETTERS:
            text = text.replace(upper, lower)
        return text


def octet(text: str) -> str:
    """Fold nothing (RFC 4790 §9.3)."""
    return text


def ascii_numeric(text: str) -> tuple[int, str]:
    """Order by the leading number, whatever its length; without one it is infinite (RFC 4790 §9.1)."""
    if not "0" <= text[:1] <= "9":
        return sys.maxsize, ""
    found = _DIGITS.match(text)
    digits = found[1] if found is not None else ""
    return len(digits), digits


def unicode_casemap(text: str) -> str:
    """Title-case each character where that is one character, then decompose (RFC 5051 §2)."""
    if text.isascii():
        return text.upper()
    return unicodedata.normalize("NFKD", "".join(map(_titled, text)))


def _titled(letter: str) -> str:
    titled = letter.title()
    return titled if len(titled) == 1 else letter


@dataclass(frozen=True, slots=True)
class Comparator:
    """How values are made comparable; what `fold` returns is equal or in order as the values are."""

    fold: Callable[[str], Any]
    has_substrings: bool = True
    is_case_folding: bool = True
    is_slow: bool = False
    capability: str = ""  # '' is the base language's


DEFAULT = Comparator(ascii_casemap)  # RFC 5228 §2.7.3
COMPARATORS: Mapping[str, Comparator] = {
    "i;ascii-casemap": DEFAULT,
    "i;octet": Comparator(octet, is_case_folding=False),
    "i;ascii-numeric": Comparator(ascii_numeric, has_substrings=False, capability="comparator-i;ascii-numeric"),
    "i;unicode-casemap": Comparator(unicode_casemap, is_slow=True, capability="comparator-i;unicode-casemap"),
}

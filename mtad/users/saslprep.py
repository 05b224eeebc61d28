"""Brings names and passwords to the form in which they are compared (SASLprep, RFC 4013; a profile of RFC 3454).

Characters that Unicode 3.2 did not know yet pass as they are, also in what is stored: most passwords with them were
made on a telephone.
"""

from __future__ import annotations

import stringprep
from collections.abc import Callable, Sequence
from unicodedata import ucd_3_2_0

_PROHIBITED: Sequence[Callable[[str], bool]] = (  # RFC 4013 §2.3
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str | None:
    """Return the prepared text; None when it holds what it must not hold, or nothing."""
    if text.isascii():  # nothing is mapped or folded: only control characters are wrong
        return text if text and text.isprintable() else None
    mapped = "".join(
        " " if stringprep.in_table_c12(character) else character
        for character in text
        if not stringprep.in_table_b1(character)
    )
    prepared = ucd_3_2_0.normalize("NFKC", mapped)
    if not prepared or any(is_in(character) for is_in in _PROHIBITED for character in prepared):
        return None
    return prepared if _runs_one_way(prepared) else None


def _runs_one_way(text: str) -> bool:
    """Tell whether a text that runs from right to left does so from end to end (RFC 3454 §6)."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    is_mixed = any(map(stringprep.in_table_d2, text))
    return not is_mixed and stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])

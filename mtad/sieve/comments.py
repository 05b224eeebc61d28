"""Comments in structured header fields (RFC 5322 §3.2.2): one may hold others, and a quoted string holds none."""

from __future__ import annotations

import re

NESTING_MAX = 16  # of comments; in one that is deeper a parenthesis opens none


def _comment(nesting: int) -> str:
    """Return the expression of a comment; one that nothing closes is all the rest."""
    inner = r"\((?:[^)\\]++|\\.?)*+\)?+"
    for _ in range(nesting - 1):
        inner = rf"\((?:[^()\\]++|\\.?|{inner})*+\)?+"
    return inner


_OUTSIDE = r'[^"(\\]++|"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|\\.?'
_PIECE = re.compile(rf"((?:{_OUTSIDE})*+)(?:(?:{_comment(NESTING_MAX)})++|\Z)", re.DOTALL)


def without_comments(text: str) -> str:
    """Return a field's value with a blank in place of comments, and none at its end; linear in the value."""
    return " ".join(_PIECE.findall(text)).rstrip() if "(" in text else text

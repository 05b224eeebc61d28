"""The lines of a content. Pure."""

from __future__ import annotations


def has_long_line(octets: bytes, octets_max: int) -> bool:
    """Tell whether a line, with its end, has more octets."""
    start = 0
    while len(octets) - start > octets_max:
        end = octets.rfind(b"\n", start, start + octets_max)
        if end < 0:
            return True
        start = end + 1
    return False

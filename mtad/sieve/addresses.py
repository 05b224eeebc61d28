"""Addresses as tests see them (RFC 5228 §2.7.4, RFC 5322 §3.4): taken out of header fields, and their parts.

A quoted local part is compared as what it means: `"john"@x` is `john@x`. All of it is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from mtad.sieve.comments import without_comments

SEPARATOR = "+"  # between user and detail
ADDRESSES_MAX = 1000  # of one field; the rest is not looked at
LENGTH_MAX = 1 << 15  # of one field; the rest is not looked at

_PIECE = re.compile(
    r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|\[[^\]]*+\]?|[^\s"()<>,;:@.\[\]\\]++|[()<>,;:@.]|\\.?|\s++|\]', re.DOTALL
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_DOT_ATOM = re.compile(r"[^\s\"()<>,;:@\[\]\\.]+(?:\.[^\s\"()<>,;:@\[\]\\.]+)*\Z")
_QUOTED = str.maketrans({letter: f"\\{letter}" for letter in '"\\'})


def local_part(address: str) -> str | None:
    """Return the local part, unquoted; all of an address that has no domain."""
    local, at, _ = address.rpartition("@")
    local = local if at else address
    if len(local) > 1 and local[0] == '"' == local[-1]:
        return _ESCAPED.sub(r"\1", local[1:-1])
    return local


def domain(address: str) -> str | None:
    """Return the domain; None when there is none, but '' for the null reverse-path."""
    if not address:
        return ""
    _, at, name = address.rpartition("@")
    return name if at else None


def whole(address: str) -> str | None:
    """Return the address, its local part quoted only where it must be."""
    if '"' not in address:
        return address
    local = local_part(address) or ""
    quoted = local if _DOT_ATOM.match(local) else '"' + local.translate(_QUOTED) + '"'
    return f"{quoted}@{domain(address)}"


def user(address: str, separators: str = SEPARATOR) -> str | None:
    """Return the local part up to the first separator (RFC 5233 §4)."""
    local = local_part(address)
    return local[: _split_at(local, separators)] if local is not None else None


def detail(address: str, separators: str = SEPARATOR) -> str | None:
    """Return the local part behind the first separator; None when it has none."""
    local = local_part(address) or ""
    at = _split_at(local, separators)
    return local[at + 1 :] if at < len(local) else None


def _split_at(local: str, separators: str) -> int:
    return min((at for separator in separators if (at := local.find(separator)) >= 0), default=len(local))


ADDRESS_PARTS: Mapping[str, Callable[[str], str | None]] = {
    ":localpart": local_part,
    ":domain": domain,
    ":all": whole,
    ":user": user,
    ":detail": detail,
}
_SEPARATED: Mapping[str, Callable[[str, str], str | None]] = {":user": user, ":detail": detail}


def address_part(name: str, separators: str) -> Callable[[str], str | None]:
    """Return what takes a part out of an address, where any of the separators stands before the detail."""
    separated = _SEPARATED.get(name)
    if separated is None:
        return ADDRESS_PARTS[name]
    return lambda address: separated(address, separators)


def addresses_in(value: str) -> list[str]:
    """Return the addresses of a field's value: without display names, comments, groups' names and source routes."""
    found: list[str] = []
    plain: list[str] = []  # what would be an address if no angle bracket came
    angle: list[str] | None = None
    for piece in _PIECE.findall(without_comments(value[:LENGTH_MAX])):
        if piece in ",;":
            if angle and angle[0] == "@":
                continue  # between the hosts of a source route
            _keep(found, plain if angle is None else angle)
            plain, angle = [], None
        elif piece == "<":
            angle = []
        elif piece == ">" and angle is not None:
            plain, angle = angle, None
            _keep(found, plain)
            plain = []
        elif piece == ":":
            plain = []
            angle = [] if angle is not None else None
        elif piece != ")" and not piece.isspace():
            (plain if angle is None else angle).append(piece)
        if len(found) >= ADDRESSES_MAX:
            return found
    _keep(found, plain if angle is None else angle)
    return found


def _keep(found: list[str], pieces: list[str]) -> None:
    if pieces:
        found.append("".join(pieces))

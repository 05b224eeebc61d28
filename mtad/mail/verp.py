"""Reverse-paths that name the recipient (VERP): what bounces to one says of whom it speaks (pure).

LOCAL+USER=DOMAIN@OURS     of LOCAL@OURS, for USER@DOMAIN
"""

from __future__ import annotations

LOCAL_PART_OCTETS_MAX = 64  # RFC 5321 §4.5.3.1.1: there are servers that refuse a longer one


def verp_path(path: str, recipient: str) -> str:
    """Return the reverse-path for one recipient; as it was where it is null, or cannot name this one.

    That cannot be named whose address is not ASCII, is quoted or has a literal for a domain, or is too long.
    """
    local, _, ours = path.rpartition("@")
    user, _, domain = recipient.rpartition("@")
    if not local or not user or '"' in local + user or not recipient.isascii() or domain.startswith("["):
        return path
    made = f"{local}+{user}={domain}"
    return f"{made}@{ours}" if len(made) <= LOCAL_PART_OCTETS_MAX else path

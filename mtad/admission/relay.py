"""Whether a recipient is ours to take: the default of the rcpt stage (RFC 5321 §3.6.1, §4.5.1)."""

from __future__ import annotations

import re
from collections.abc import Collection

from mtad.mail.address import BadPath, parse_mailbox
from mtad.sieve.match import ascii_casemap

_ROUTING = re.compile(r"[%!@]")  # u%D@L, D!u@L, "u@D"@L: a next hop may read them as an order to relay


def is_ours(recipient: str, domains: Collection[str]) -> bool:
    """Tell whether a stranger may send to this recipient.

    domains   folded by ascii_casemap: case folding of other letters would let look-alikes of a domain in
    """
    mailbox = parse_mailbox(recipient)
    if isinstance(mailbox, BadPath):
        return False
    if not mailbox.domain:
        return True  # `postmaster`: the parser lets no other local part stand alone
    return ascii_casemap(mailbox.domain) in domains and not _ROUTING.search(mailbox.local_part)

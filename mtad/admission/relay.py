"""Whether a recipient is ours to take: the default of the rcpt stage (RFC 5321 §3.6.1, §4.5.1)."""

from __future__ import annotations

import re
from collections.abc import Collection

from mtad.mail.address import BadPath, parse_mailbox
from mtad.mail.utf8 import ascii_domain
from mtad.sieve.comparators import ascii_casemap

_ROUTING = re.compile(r"[%!@]")  # u%D@L, D!u@L, "u@D"@L: a next hop may read them as an order to relay


def plain_domain(domain: str) -> str:
    """Return a domain in the form in which domains are compared: with A-labels, as DNS has it, and without case.

    It is put into ASCII first: case folding of other letters would let look-alikes of a domain in. What has no such
    form is no domain, and stays itself.
    """
    return ascii_casemap(ascii_domain(domain) or domain)


def is_ours(recipient: str, domains: Collection[str]) -> bool:
    """Tell whether a stranger may send to this recipient.

    domains   as `plain_domain` makes them
    """
    mailbox = parse_mailbox(recipient)
    if isinstance(mailbox, BadPath):
        return False
    if not mailbox.domain:
        return True  # `postmaster`: the parser lets no other local part stand alone
    return plain_domain(mailbox.domain) in domains and not _ROUTING.search(mailbox.local_part)

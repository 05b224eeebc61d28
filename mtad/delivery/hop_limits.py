"""What a next hop says that it takes at most: the extension LIMITS (RFC 9422). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from mtad.mail.envelope import domain_of

UNLIMITED = 1_000_000  # more than RFC 9422 §4 lets a server name
_LIMIT = re.compile(r"(MAILMAX|RCPTMAX|RCPTDOMAINMAX)=([1-9][0-9]{0,5})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HopLimits:
    """How many transactions a connection may have, and how many recipients and domains of theirs a transaction."""

    messages_max: int = UNLIMITED
    recipients_max: int = UNLIMITED
    domains_max: int = UNLIMITED

    def fitting(self, addresses: Iterable[str], begun: Iterable[str] = ()) -> list[str]:
        """Return those recipients that a transaction may take, in their order, besides those that it has already."""
        if self == NO_LIMITS:
            return list(addresses)
        taken = set(begun)
        count, domains, found = len(taken), {domain_of(address) for address in taken}, []
        for address in addresses:
            domain = domain_of(address)
            if count < self.recipients_max and (domain in domains or len(domains) < self.domains_max):
                found.append(address)
                domains.add(domain)
                count += 1
        return found


NO_LIMITS = HopLimits()


def read_limits(text: str) -> HopLimits:
    """Return what stands behind LIMITS in the reply to EHLO; what is not understood limits nothing."""
    said = {found[1].upper(): int(found[2]) for found in map(_LIMIT.fullmatch, text.split()) if found is not None}
    return HopLimits(
        said.get("MAILMAX", UNLIMITED), said.get("RCPTMAX", UNLIMITED), said.get("RCPTDOMAINMAX", UNLIMITED)
    )

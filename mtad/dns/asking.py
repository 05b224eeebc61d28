"""What asks DNS: the resolver, or what a test puts in its place."""

from __future__ import annotations

from typing import Protocol

from mtad.dns.resolver import Answer, Unknown
from mtad.mail.ip_address import IpAddress


class Names(Protocol):
    """Who can be asked for records."""

    async def lookup(self, name: str, record_type: str) -> Answer:
        """Return the records of this type at the name."""
        ...


class NobodyAsked:
    """Stands where no resolver is: nothing can be known."""

    async def lookup(self, name: str, record_type: str) -> Answer:
        """Say that it is not known."""
        return Unknown("there is no resolver")


def reverse_name(address: IpAddress) -> str:
    """Return where an address stands in a list, and in the reverse tree: its parts in reverse order."""
    return address.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")

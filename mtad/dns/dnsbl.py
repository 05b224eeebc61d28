"""Lists in DNS of addresses and domains (RFC 5782): whether one has something, and what it says of it."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from mtad.dns.asking import Names, reverse_name
from mtad.dns.resolver import Absent, Found, Unknown
from mtad.mail.ip_address import parse_ip

_LISTED = ipaddress.ip_network("127.0.0.0/8")  # §2.1; what else comes is from whoever has the domain now
_REFUSED = ipaddress.ip_network("127.255.255.0/24")  # by custom: the list does not answer who asks


@dataclass(frozen=True, slots=True)
class Listing:
    """What one list answers; no answers: it does not have it."""

    zone: str
    name: str  # where it was looked up
    answers: tuple[str, ...] = ()


async def listings(names: Names, zones: Sequence[str], subject: str) -> list[Listing | Unknown]:
    """Ask all lists at once for an address or a domain; in their order."""
    address = parse_ip(subject)
    prefix = reverse_name(address) if address is not None else subject.rstrip(".")
    return list(await asyncio.gather(*(_listing(names, zone, f"{prefix}.{zone}") for zone in zones)))


async def reason(names: Names, listing: Listing) -> str:
    """Return what the list says of it, in one line of printable characters; '' when it says nothing."""
    answer = await names.lookup(listing.name, "TXT")
    text = answer.records[0] if isinstance(answer, Found) else ""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


async def _listing(names: Names, zone: str, name: str) -> Listing | Unknown:
    answer = await names.lookup(name, "A")
    if isinstance(answer, Absent):
        return Listing(zone, name)
    if isinstance(answer, Unknown):
        return Unknown(f"{zone}: {answer.why}")
    if any(ipaddress.ip_address(record) in _REFUSED for record in answer.records):
        return Unknown(f"{zone}: the list does not answer us ({answer.records[0]})")
    return Listing(zone, name, tuple(record for record in answer.records if ipaddress.ip_address(record) in _LISTED))

"""An IP address from its text, the same one however it is written (RFC 4291 §2.5.5.2, RFC 4007 §11)."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

IpAddress = IPv4Address | IPv6Address


def parse_ip(text: str) -> IpAddress | None:
    """Return an address without its zone, an IPv4-mapped one as the IPv4 address that it carries; None for none.

    A zone means something on one machine alone, and has no place in a reverse name.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if address.version == 4:
        return address
    if address.scope_id is not None:
        address = IPv6Address(address.packed)
    return address.ipv4_mapped or address

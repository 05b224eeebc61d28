"""The network of a client: what is counted where nobody names a key (pure).

A network is what one customer has: an IPv4 address, or the /64 around an IPv6 address. Neighbours of an IPv4 address
are other people, and a /64 holds more addresses than could be counted one by one.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_network

from mtad.mail.ip_address import parse_ip

IPV6_BITS = 64
_PARSED_MAX = 1024


@lru_cache(maxsize=_PARSED_MAX)
def network_of(address: str, ipv4_bits: int = 32) -> str:
    """Return the network around an address, an IPv4-mapped one as the IPv4 address that it carries.

    What is no address, such as that of a Unix socket, stands for itself.
    """
    parsed = parse_ip(address)
    if parsed is None:
        return address
    bits = ipv4_bits if parsed.version == 4 else IPV6_BITS
    return str(ip_network((parsed.packed, bits), strict=False).network_address)

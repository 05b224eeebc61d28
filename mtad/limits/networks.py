"""The network of a client: what is counted where a policy names no key (pure)."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

IPV6_BITS = 64  # what one customer has: it holds more addresses than could be counted one by one
_PARSED_MAX = 1024


@lru_cache(maxsize=_PARSED_MAX)
def network_of(address: str, ipv4_bits: int = 32) -> str:
    """Return the network around an address, an IPv4-mapped one as the IPv4 address that it carries.

    What is no address, such as that of a Unix socket, stands for itself.
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    bits = ipv4_bits if parsed.version == 4 else IPV6_BITS
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False).network_address)

"""Networks and what is said of their addresses, as in Postfix's cidr_table(5): the first line that fits counts."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from mtad.mail.ip_address import parse_ip
from mtad.maps.answer import ABSENT, Answer, Found
from mtad.maps.lines import Line, Wrong, key_and_value, logical_lines

_BITS = {4: 32, 6: 128}


class Networks:
    """Answers for an address; for what is none it has nothing.

    The networks of one length are found by one look, so that a map of a hundred thousand costs as many looks as it has
    lengths.
    """

    def __init__(self, entries: Iterable[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]]) -> None:
        self._by_length: dict[tuple[int, int], dict[int, tuple[int, Found]]] = {}
        for order, (network, value) in enumerate(entries):
            shift = _BITS[network.version] - network.prefixlen
            of_length = self._by_length.setdefault((network.version, shift), {})
            of_length.setdefault(int(network.network_address) >> shift, (order, Found(value)))

    def weight(self, _key: str) -> int:
        """Return how much a look costs."""
        return 4 + len(self._by_length)

    def get(self, key: str) -> Answer:
        """Return the value of the first network that holds an address; an IPv4-mapped one is its IPv4 address."""
        address = parse_ip(key)
        if address is None:
            return ABSENT
        number, version = int(address), address.version
        found = [
            here
            for (of_version, shift), of_length in self._by_length.items()
            if of_version == version and (here := of_length.get(number >> shift)) is not None
        ]
        return min(found)[1] if found else ABSENT


def networks(lines: Iterable[Line]) -> Networks | Wrong:
    """Make a map of lines `network value`; a network may be one address."""
    entries: list[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, str]] = []
    wrong: list[Line] = []
    for number, text in lines:
        pattern, value = key_and_value(text)
        try:
            entries.append((ipaddress.ip_network(pattern), value))
        except ValueError:
            wrong.append(Line(number, f'"{pattern}" is no network, or has bits set behind its prefix'))
    return Wrong.of(wrong) if wrong else Networks(entries)


def read_networks(text: str) -> Networks | Wrong:
    """Read the text of a file."""
    return networks(logical_lines(text))

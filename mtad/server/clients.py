"""The clients of one process by network: who may come in, and who may do more of something (pure).

A network is what one customer has: an IPv4 address, or the /64 around an IPv6 address. Neighbours of an IPv4 address
are other people, and a /64 holds more addresses than could be counted one by one.
"""

from __future__ import annotations

from collections import Counter
from ipaddress import IPv4Address, IPv6Address, ip_address

from mtad.mail.reply import Reply
from mtad.server.limits import PRESSED_PERCENT, Limits
from mtad.server.rates import Act, Rates

IPV6_NETWORK_OCTETS = 8

_TOO_MANY_SESSIONS = Reply.of(421, "4.3.2", "Too many sessions, try again later")
_TOO_MANY_OF_NETWORK = Reply.of(421, "4.7.0", "Too many sessions from your network, try again later")
_TOO_MANY_CONNECTIONS = Reply.of(421, "4.7.0", "Too many connections from your network, try again later")
_TOO_MANY_ERRORS = Reply.of(421, "4.7.0", "Too many errors from your network, try again later")


def network_of(ip: IPv4Address | IPv6Address) -> bytes:
    """Return the network of an address, as what it is counted by."""
    return ip.packed if ip.version == 4 else ip.packed[:IPV6_NETWORK_OCTETS]


class Clients:
    """Counts sessions and acts of each network; those that are exempt have only the sessions in all as their limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rates = Rates(limits.rates)
        self._sessions_of: Counter[bytes] = Counter()
        self.sessions_count = 0

    @property
    def networks_count(self) -> int:
        """How many networks have sessions now."""
        return len(self._sessions_of)

    @property
    def are_many(self) -> bool:
        """Whether nearly as many sessions are held as may be."""
        return self.sessions_count * 100 >= self._limits.sessions_max * PRESSED_PERCENT

    def come(self, address: str, now: float) -> Reply | None:
        """Count a session in; a reply says why it is one too many, and is not counted."""
        if self.sessions_count >= self._limits.sessions_max:
            return _TOO_MANY_SESSIONS
        network = self._network(address)
        if network is not None:
            if self._sessions_of[network] >= self._limits.sessions_per_client_max:
                return _TOO_MANY_OF_NETWORK
            if not self._rates.has(network, Act.ERROR, now):
                return _TOO_MANY_ERRORS
            if not self._rates.take(network, Act.CONNECTION, now):
                return _TOO_MANY_CONNECTIONS
            self._sessions_of[network] += 1
        self.sessions_count += 1
        return None

    def leave(self, address: str) -> None:
        """Count a session off."""
        self.sessions_count -= 1
        network = self._network(address)
        if network is not None:
            self._sessions_of[network] -= 1
            if not self._sessions_of[network]:
                del self._sessions_of[network]

    def may(self, act: Act, address: str, now: float) -> bool:
        """Count one more act of this client; False when its network does too many."""
        if act not in self._limits.rates:
            return True
        network = self._network(address)
        return network is None or self._rates.take(network, act, now)

    def _network(self, address: str) -> bytes | None:
        """Return what the client is counted by; None where it is not: it is exempt, or came by a Unix socket."""
        if not address:
            return None
        ip = ip_address(address)
        if any(ip in network for network in self._limits.exempt):
            return None
        return network_of(ip)

"""The clients of one process by network: who may come in, and who may do more of something (pure)."""

from __future__ import annotations

from collections import Counter

from mtad.limits.networks import network_of
from mtad.mail.ip_address import parse_ip
from mtad.mail.reply import Reply
from mtad.server.limits import PRESSED_PERCENT, Limits
from mtad.server.rates import Act, Rates

_TOO_MANY_SESSIONS = Reply.of(421, "4.3.2", "Too many sessions, try again later")
_TOO_MANY_OF_NETWORK = Reply.of(421, "4.7.0", "Too many sessions from your network, try again later")
_TOO_MANY_CONNECTIONS = Reply.of(421, "4.7.0", "Too many connections from your network, try again later")
_TOO_MANY_ERRORS = Reply.of(421, "4.7.0", "Too many errors from your network, try again later")


class Clients:
    """Counts sessions and acts of each network; those that are exempt have only the sessions in all as their limit."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._rates = Rates(limits.rates)
        self._sessions_of: Counter[str] = Counter()
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

    def _network(self, address: str) -> str | None:
        """Return what the client is counted by; None where it is not: it is exempt, or came by a Unix socket."""
        ip = parse_ip(address)
        if ip is None or any(ip in network for network in self._limits.exempt):
            return None
        return network_of(address)

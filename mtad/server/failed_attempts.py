"""How often a client has failed to authenticate of late, and how long its next refusal is held back for it."""

from __future__ import annotations

from mtad.limits.networks import network_of

DELAY_SECONDS = 1.0  # of the first refusal; each further one of the same client doubles it, up to
DELAY_SECONDS_MAX = 8.0
FORGET_SECONDS = 600.0  # after the last failure
NETWORKS_MAX = 10_000  # that are remembered; the one that failed longest ago is forgotten first


class FailedAttempts:
    """The failures of all sessions of one process, by the client's network."""

    def __init__(self) -> None:
        self._failures: dict[str, tuple[int, float]] = {}  # how many, and when the last was; the oldest first

    def add(self, address: str, now: float) -> float:
        """Count a failure; return the seconds to wait before the client hears of it."""
        network = network_of(address)  # '' is a Unix socket
        count, last = self._failures.pop(network, (0, now))
        count = 1 if now - last >= FORGET_SECONDS else count + 1
        self._failures[network] = (count, now)
        if len(self._failures) > NETWORKS_MAX:
            del self._failures[next(iter(self._failures))]
        return float(min(DELAY_SECONDS * 2 ** min(count - 1, 10), DELAY_SECONDS_MAX))

    def __len__(self) -> int:
        return len(self._failures)

"""How many messages are attempted at once, and for which domains (pure).

There are places in all and for each domain. An attempt that has lasted long gives its place free, within bounds, since
it costs only memory; its domain gets few places until one of its attempts has ended quickly. So destinations that hang,
many of them too, take nothing from those that answer.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from mtad.mail.queue_id import QueueId


@dataclass(frozen=True, slots=True)
class PlaceLimits:
    """How many places there are."""

    at_once_max: int = 100
    per_domain_max: int = 20
    slow_seconds: float = 10.0  # from then on an attempt is slow, and so is its domain
    slow_max: int = 300  # attempts beside the others
    slow_octets_max: int = 256 << 20  # of their messages together
    per_slow_domain_max: int = 5
    slow_domains_max: int = 1000  # that are remembered


@dataclass(frozen=True, slots=True)
class _Taken:
    domain: str
    since: float
    octets: int = 0


class Places:
    """The places that are taken. Times are seconds of one clock that never goes back."""

    def __init__(self, limits: PlaceLimits) -> None:
        self._limits = limits
        self._young: dict[QueueId, _Taken] = {}  # oldest first
        self._slow: dict[QueueId, _Taken] = {}
        self._slow_octets = 0
        self._domains: Counter[str] = Counter()
        self._slow_domains: dict[str, None] = {}  # oldest first

    def free(self, now: float) -> int:
        """Return how many more attempts may begin."""
        self._move(now)
        return max(0, self._limits.at_once_max - len(self._young))

    def is_free_for(self, domain: str) -> bool:
        """Tell whether the domain may have one of the free places; `free` comes before."""
        limits = self._limits
        places = limits.per_slow_domain_max if domain in self._slow_domains else limits.per_domain_max
        return self._domains[domain] < places

    def holds(self, queue_id: QueueId) -> bool:
        """Tell whether the message is being attempted."""
        return queue_id in self._young or queue_id in self._slow

    def take(self, queue_id: QueueId, domain: str, now: float) -> None:
        """Note that an attempt begins."""
        self._young[queue_id] = _Taken(domain, now)
        self._domains[domain] += 1

    def weigh(self, queue_id: QueueId, octets: int) -> None:
        """Note how much memory a young attempt's message takes."""
        if queue_id in self._young:
            self._young[queue_id] = replace(self._young[queue_id], octets=octets)

    def leave(self, queue_id: QueueId, now: float) -> None:
        """Note that an attempt has ended: quickly, and its domain is as good as any."""
        slow = self._slow.pop(queue_id, None)
        taken = self._young.pop(queue_id) if slow is None else slow
        self._slow_octets -= 0 if slow is None else slow.octets
        self._domains[taken.domain] -= 1
        if not self._domains[taken.domain]:
            del self._domains[taken.domain]
        if now - taken.since < self._limits.slow_seconds:
            self._slow_domains.pop(taken.domain, None)
        else:
            self._remember_slow(taken.domain)

    def forget_slow(self) -> None:
        """Give every domain its places again."""
        self._slow_domains.clear()

    def _move(self, now: float) -> None:
        """Move those that have become slow, as long as there is room for them."""
        limits = self._limits
        slow = []
        for queue_id, taken in self._young.items():
            if now - taken.since < limits.slow_seconds:
                break
            self._remember_slow(taken.domain)
            has_room = len(self._slow) < limits.slow_max
            if has_room and self._slow_octets + taken.octets <= limits.slow_octets_max:
                slow.append(queue_id)
                self._slow[queue_id] = taken
                self._slow_octets += taken.octets
        for queue_id in slow:
            del self._young[queue_id]

    def _remember_slow(self, domain: str) -> None:
        if domain not in self._slow_domains and len(self._slow_domains) >= self._limits.slow_domains_max:
            del self._slow_domains[next(iter(self._slow_domains))]
        self._slow_domains[domain] = None

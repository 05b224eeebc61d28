"""Counts the queue by domain, sender or reason and by age, as Postfix's qshape does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mtad.pb import admin_pb2 as pb

AGES_MINUTES = (5, 10, 20, 40, 80, 160, 320, 640, 1280)


@dataclass(slots=True)
class Group:
    """What one row counts. `ages` has one count for each bound of AGES_MINUTES and one for what is older."""

    name: str
    messages: int = 0
    recipients: int = 0
    oldest_seconds: float = 0.0
    ages: list[int] = field(default_factory=lambda: [0] * (len(AGES_MINUTES) + 1))

    def add(self, recipients: int, age_seconds: float) -> None:
        """Count one message with its recipients of this group."""
        self.messages += 1
        self.recipients += recipients
        self.oldest_seconds = max(self.oldest_seconds, age_seconds)
        over = sum(age_seconds >= minutes * 60 for minutes in AGES_MINUTES)
        self.ages[over] += recipients


def _domain(address: str) -> str:
    return address.rpartition("@")[2].lower()


_NAMES: dict[str, Callable[[pb.QueueEntry], list[str]]] = {
    "domain": lambda entry: [_domain(recipient.address) for recipient in entry.recipients],
    "sender": lambda entry: [entry.sender] * len(entry.recipients),
    "reason": lambda entry: [recipient.delay_reason for recipient in entry.recipients],
    "queue": lambda entry: [entry.queue] * len(entry.recipients),
}
GROUPINGS = tuple(_NAMES)


def summarize(entries: Iterable[pb.QueueEntry], by: str, wall: float) -> list[Group]:
    """Return one group a name, the one with most recipients first. `by` is one of GROUPINGS, `wall` UTC seconds."""
    groups: dict[str, Group] = {}
    for entry in entries:
        names = _NAMES[by](entry)
        age_seconds = max(0.0, wall - entry.arrival_time)
        for name in dict.fromkeys(names):
            groups.setdefault(name, Group(name)).add(names.count(name), age_seconds)
    return sorted(groups.values(), key=lambda group: (-group.recipients, group.name))

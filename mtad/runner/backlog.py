"""What is due and waits for a place, shared fairly: destinations in turn, and of each its senders in turn (pure).

Of a destination, mail of a higher priority comes first. It is a window on the queue. What finds no room in it is left
out, and fetched once half of the room is free again (`is_hungry`): so a destination with very much mail costs no walk
past all of it for each message that is attempted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from mtad.delivery.turns import Turns
from mtad.mail.queue_id import QueueId


@dataclass(frozen=True, slots=True)
class BacklogLimits:
    """How much is held. A destination may always have a few, whatever the others have."""

    messages_max: int = 50_000
    domains_max: int = 5_000
    per_domain_max: int = 1_000
    per_sender_max: int = 250  # at one domain
    few: int = 8
    left_out_max: int = 20_000  # senders at domains that are known to have more by name
    told_apart_max: int = 250  # of them, at one domain: its others are as one


class Waiting(NamedTuple):
    """A message that has recipients due at a domain. priority: 0 is that of most mail."""

    queue_id: QueueId
    domain: str
    sender: str
    priority: int = 0


@dataclass(slots=True)
class _Domain:
    turns: Turns[QueueId] = field(default_factory=Turns)
    urgent: dict[int, Turns[QueueId]] = field(default_factory=dict)  # by priority; none of them is empty
    queue_ids: set[QueueId] = field(default_factory=set)


_OTHERS = ("", "")  # those left out that are not known by name
_REST = "\n"  # at a domain: its senders that are not told apart; no address


class Backlog:
    """The messages that wait."""

    def __init__(self, limits: BacklogLimits) -> None:
        self._limits = limits
        self._domains: OrderedDict[str, _Domain] = OrderedDict()  # whose turn it is first
        self._count = 0  # without those that are urgent
        self._urgent_count = 0
        self._left_out: dict[str, set[str]] = {}  # senders by domain
        self._left_out_count = 0
        self._has_left_out_others = False
        self._is_full = False  # something was left out because of what others have
        self._hungry: dict[tuple[str, str], int] = {}  # since which turn of the index
        self._turn = 0

    def __len__(self) -> int:
        return self._count + self._urgent_count

    @property
    def is_hungry(self) -> bool:
        """Tell whether there is room for what was left out."""
        return bool(self._hungry)

    @property
    def left_out_count(self) -> int:
        """How many senders, at their domains, are known to have more."""
        return self._left_out_count

    def has_left_out(self, domain: str) -> bool:
        """Tell whether something of a domain was left out."""
        return domain in self._left_out or self._has_left_out_others

    def add(self, waiting: Waiting) -> bool:
        """Put a message behind its sender's others, if it is not there; False where it is left out."""
        queue_id, name, sender, priority = waiting
        domain = self._domains.get(name)
        if domain is not None and queue_id in domain.queue_ids:
            return True
        if priority and self._has_urgent_room(domain, sender):
            self._add_urgent(waiting)
            return True
        if not self._has_room(name, sender):
            self._is_full |= domain is None or self._count >= self._limits.messages_max
            self._leave_out(name, sender)
            return False
        if domain is None:
            domain = self._domains[name] = _Domain()
        domain.turns.add(sender, queue_id)
        domain.queue_ids.add(queue_id)
        self._count += 1
        for one in (sender, _REST):
            if (name, one) in self._hungry and not self._has_room(name, one, share=2):
                del self._hungry[name, one]
        return True

    def take(self, is_free_for: Callable[[str], bool]) -> Waiting | None:
        """Take a message of the domain whose turn it is among those that may have a place; None when there is none."""
        name = next((name for name in self._domains if is_free_for(name)), None)
        if name is None:
            return None
        domain = self._domains[name]
        priority = max(domain.urgent, default=0)
        taken = (domain.urgent[priority] if priority else domain.turns).pop()
        assert taken is not None, "a domain without messages is not kept"
        sender, queue_id = taken
        domain.queue_ids.discard(queue_id)
        if priority:
            self._urgent_count -= 1
            if not domain.urgent[priority]:
                del domain.urgent[priority]
        else:
            self._count -= 1
        if domain.queue_ids:
            self._domains.move_to_end(name)
        else:
            del self._domains[name]
        self._get_hungry(name)
        if self._is_full and self._is_half_empty():
            self._is_full = False
            for other in list(self._left_out):
                self._get_hungry(other)
            if self._has_left_out_others:
                self._hungry[_OTHERS] = self._turn
        return Waiting(queue_id, name, sender, priority)

    def turned(self) -> None:
        """Note that the index was walked to its end: who was hungry for a whole turn of it has no more there."""
        for key, since in list(self._hungry.items()):
            if since < self._turn:
                self._forget(*key)
        self._turn += 1

    def clear(self) -> None:
        """Forget everything: it is another's to deliver, or to be read anew."""
        for held in (self._domains, self._left_out, self._hungry):
            held.clear()
        self._count = self._urgent_count = self._left_out_count = 0
        self._has_left_out_others = self._is_full = False

    def _has_urgent_room(self, domain: _Domain | None, sender: str) -> bool:
        """Tell whether a message that others give way to has room of its own; as much as the others have."""
        limits = self._limits
        if domain is None:
            return len(self._domains) < limits.domains_max and self._urgent_count < limits.messages_max
        return (
            self._urgent_count < limits.messages_max
            and sum(map(len, domain.urgent.values())) < limits.per_domain_max
            and sum(turns.count_of(sender) for turns in domain.urgent.values()) < limits.per_sender_max
        )

    def _add_urgent(self, waiting: Waiting) -> None:
        domain = self._domains.setdefault(waiting.domain, _Domain())
        domain.urgent.setdefault(waiting.priority, Turns()).add(waiting.sender, waiting.queue_id)
        domain.queue_ids.add(waiting.queue_id)
        self._urgent_count += 1

    def _is_half_empty(self) -> bool:
        limits = self._limits
        return self._count <= limits.messages_max // 2 and len(self._domains) <= limits.domains_max // 2

    def _has_room(self, name: str, sender: str, share: int = 1) -> bool:
        """Tell whether a part of what a sender may have at a domain is free. share: 1 any of it, 2 half of it."""
        limits = self._limits
        domain = self._domains.get(name)
        if domain is None:
            return len(self._domains) < limits.domains_max
        if len(domain.turns) < limits.few // share:
            return True
        return (
            self._count < limits.messages_max // share
            and len(domain.turns) < limits.per_domain_max // share
            and domain.turns.count_of(sender) < limits.per_sender_max // share
        )

    def _leave_out(self, name: str, sender: str) -> None:
        known = self._left_out.get(name, ())
        if sender not in known and len(known) >= self._limits.told_apart_max and not self._has_its_share(name, sender):
            sender = _REST
        self._hungry.pop((name, sender), None)
        if sender in known:
            return
        if self._left_out_count >= self._limits.left_out_max:
            self._has_left_out_others = self._is_full = True
            self._hungry.pop(_OTHERS, None)
            return
        self._left_out.setdefault(name, set()).add(sender)
        self._left_out_count += 1

    def _has_its_share(self, name: str, sender: str) -> bool:
        """Tell whether it is for its own mail that a sender finds no room: few can be so at one domain."""
        domain = self._domains.get(name)
        return domain is not None and domain.turns.count_of(sender) >= self._limits.per_sender_max

    def _get_hungry(self, name: str) -> None:
        for sender in self._left_out.get(name, ()):
            if self._has_room(name, sender, share=2):
                self._hungry.setdefault((name, sender), self._turn)

    def _forget(self, name: str, sender: str) -> None:
        del self._hungry[name, sender]
        if (name, sender) == _OTHERS:
            self._has_left_out_others = False
            return
        senders = self._left_out[name]
        senders.discard(sender)
        self._left_out_count -= 1
        if not senders:
            del self._left_out[name]

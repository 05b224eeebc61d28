"""The link between two machines, as a stream over TCP gives it: in order, and whole up to where it breaks.

What is cut is held as TCP holds it, and flows on when the cut heals before an end has given the link up; what was
under way when a link broke is lost, or comes in late under the number of its old session.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.events import LinkDown, LinkUp, Received
from replicator.core.messages import Ack, Beat, Hello, Message, Records, SnapshotBegin
from replicator.core.versions import VERSION_MAX
from tests.simulation.clock import MS, SECOND, Clock
from tests.simulation.versions import as_carried

if TYPE_CHECKING:
    from tests.simulation.machine import Machine


def as_on_the_wire(message: Message) -> Message:
    """Return a copy that shares nothing with its sender that could still change."""
    if isinstance(message, Hello | SnapshotBegin):
        return message._replace(vector=dict(message.vector))
    if isinstance(message, Ack | Beat):
        return message._replace(durable=dict(message.durable))
    return message


LATE = 30 * MS
STRUCK_DELAY = 2_500 * MS
_COPIES = {"drop": 0, "duplicate": 2}
NEW, UP, GONE = range(3)


class Link:
    """One stream; each end has its own number for it and its own opinion whether it stands."""

    __slots__ = ("ends", "held", "last", "late_until", "pids", "sessions", "version")

    def __init__(self, sessions: tuple[int, int], pids: tuple[int, int], version: int) -> None:
        self.sessions = sessions
        self.pids = pids
        self.version = version  # the smaller one of the two processes'
        self.ends = [NEW, NEW]
        self.late_until = [0, 0]  # what this end had read already still comes out of its queue after it gave up
        self.held: tuple[list[Message], list[Message]] = ([], [])  # by sender
        self.last = [0, 0]  # by sender: when the newest message under way arrives


class Network:
    """Dials, carries, holds and breaks what joins two machines. Its ends are 0 and 1, for a pair as its nodes are."""

    latency = (MS // 10, MS)

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.machines: list[Machine] = []
        self.is_cut = [False, False]  # by sender: nothing of its arrives
        self.extra_delay_max = 0
        self.loss = 0.0  # of records, acknowledgements and beats: a stream loses none, and the members bear it
        self.link: Link | None = None
        self.strikes: dict[int, str] = {}  # by the number of a message: 'drop', 'duplicate' or 'delay'
        self.messages_sent = 0
        self._is_dialling = False

    def join(self, *machines: Machine) -> None:
        """Lay the wire between two machines."""
        self.machines = list(machines)
        for end, machine in enumerate(machines):
            machine.ends += ((self, end),)

    def start(self) -> None:
        self._dial_soon()

    @property
    def is_standing(self) -> bool:
        return self.link is not None and self.link.ends == [UP, UP] and not any(self.is_cut)

    # --- setting up ---------------------------------------------------------------------------------------

    def _dial_soon(self) -> None:
        if not self._is_dialling:
            self._is_dialling = True
            self.clock.after(self.clock.between(5 * MS, 200 * MS), self._dial)

    def _dial(self) -> None:
        self._is_dialling = False
        old = self.link
        if old is not None and GONE not in old.ends:
            return
        first, second = self.machines
        if any(self.is_cut) or not (first.is_answering and second.is_answering):
            self._dial_soon()
            return
        if old is not None:
            for node in (0, 1):  # an end that still believes in the old one is told before the new one stands
                self._down(old, node, "replaced")
        version = min(first.version, second.version)
        self.link = link = Link((self.clock.number(), self.clock.number()), (first.pid, second.pid), version)
        self.clock.counts[f"link of version {version}"] += 1
        for node in (0, 1):
            self.clock.after(self.clock.between(0, 3 * MS), self._stand, link, node)

    def _stand(self, link: Link, node: int) -> None:
        machine = self.machines[node]
        if link.ends[node] == NEW and machine.pid == link.pids[node]:
            link.ends[node] = UP
            machine.take(LinkUp(link.sessions[node], self.machines[1 - node].node))

    # --- carrying -----------------------------------------------------------------------------------------

    def send(self, sender: int, session: int, message: Message) -> None:
        link = self.link
        if link is None or link.sessions[sender] != session or link.ends[sender] != UP:
            return
        clock = self.clock
        if self.loss and isinstance(message, Records | Ack | Beat) and clock.happens(self.loss):
            clock.counts["message lost on a standing link"] += 1
            return
        message = as_on_the_wire(message)
        if link.version < VERSION_MAX:
            message = as_carried(link.version, message)
        delay = clock.between(*self.latency)
        if self.extra_delay_max and clock.happens(0.5):
            delay += clock.between(0, self.extra_delay_max)
        strike = self.strikes.get(self.messages_sent) if self.strikes else None
        self.messages_sent += 1
        if strike is not None:
            clock.counts[f"strike {strike}"] += 1
            delay += STRUCK_DELAY * (strike == "delay")
            if strike == "drop" and isinstance(message, Hello):  # the first on a stream is lost with the stream alone
                self._break(link, sender, "reset")
        link.last[sender] = when = max(clock.now + delay, link.last[sender])
        for _ in range(_COPIES.get(strike, 1)):
            clock.at(when, self._arrive, link, sender, message)

    def _arrive(self, link: Link, sender: int, message: Message) -> None:
        held = link.held[sender]
        held.append(message)
        if len(held) == 1:
            self._flush(link, sender)

    def _flush(self, link: Link, sender: int) -> None:
        """Hand over what has arrived and is not held up, in order."""
        receiver = 1 - sender
        held = link.held[sender]
        machine = self.machines[receiver]
        while held and not self.is_cut[sender]:
            if link.ends[receiver] == NEW:
                self.clock.after(MS, self._flush, link, sender)
                return
            message = held.pop(0)
            if machine.pid != link.pids[receiver]:
                continue
            if link.ends[receiver] == GONE:
                if self.clock.now > link.late_until[receiver]:
                    continue
                self.clock.counts["message of an old session"] += 1
            self._hand_over(machine, Received(link.sessions[receiver], message), is_standing=link.ends[receiver] == UP)

    def _hand_over(self, machine: Machine, received: Received, *, is_standing: bool) -> None:
        machine.hear(received, is_standing=is_standing)

    # --- faults -------------------------------------------------------------------------------------------

    def cut(self, senders: tuple[int, ...]) -> None:
        """Let nothing of these senders through; each end gives the link up in its own time."""
        for sender in senders:
            self.is_cut[sender] = True
        if self.link is not None:
            for node in (0, 1):
                self.clock.after(self.clock.between(SECOND // 2, 5 * SECOND // 2), self._give_up, self.link, node)

    def heal(self) -> None:
        self.is_cut = [False, False]
        self.extra_delay_max = 0
        self.loss = 0.0
        if self.link is not None:
            for sender in (0, 1):
                self.clock.after(self.clock.between(0, 50 * MS), self._flush, self.link, sender)

    def mend(self, sender: int) -> None:
        """Let what this one sends through again."""
        self.is_cut[sender] = False
        if self.link is not None:
            self.clock.after(self.clock.between(0, 50 * MS), self._flush, self.link, sender)

    def _give_up(self, link: Link, node: int) -> None:
        if any(self.is_cut):
            self._break(link, node, "keepalive")

    def reset(self) -> None:
        """Break the link in the middle of what it carries."""
        if self.link is not None:
            self._break(self.link, self.clock.chance.randrange(2), "reset")

    def closed_by(self, node: int, session: int) -> None:
        link = self.link
        if link is not None and link.sessions[node] == session:
            self._break(link, node, "closed here")

    def died(self, node: int, *, is_power_lost: bool) -> None:
        """The process is gone: its kernel tells the other end, unless the power went with it."""
        link = self.link
        if link is not None and link.ends[node] != GONE:
            link.ends[node] = GONE
            self._tell_later(link, node, is_silent=is_power_lost)

    def _break(self, link: Link, node: int, why: str) -> None:
        """Take the link down at one end; the other is told, or finds out by itself."""
        if link.ends[node] != GONE:
            self._down(link, node, why)
            self._tell_later(link, node, is_silent=self.is_cut[node])

    def _tell_later(self, link: Link, node: int, *, is_silent: bool) -> None:
        delay = self.clock.between(SECOND // 2, 5 * SECOND // 2) if is_silent else self.clock.between(MS // 10, MS)
        self.clock.after(delay, self._tell, link, 1 - node)
        if is_silent:
            self._dial_soon()

    def _tell(self, link: Link, node: int) -> None:
        self._down(link, node, "reset")
        if self.link is link:
            self.link = None
            self._dial_soon()

    def _down(self, link: Link, node: int, why: str) -> None:
        machine = self.machines[node]
        if link.ends[node] == UP and machine.pid == link.pids[node]:
            link.late_until[node] = self.clock.now + LATE * self.clock.happens(0.3)
            machine.take(LinkDown(link.sessions[node], why))
        link.ends[node] = GONE

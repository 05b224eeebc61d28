"""A pair and a site that follows it, moved by hand: each two of the three may be linked or not."""

from __future__ import annotations

from collections import deque

from replicator.core.events import Event, LinkDown, LinkUp, Received, Remote, Settings, Tick, WitnessSaid
from replicator.core.grants import Request
from replicator.core.messages import Message, Records, SnapshotItem
from replicator.core.values import MILLISECOND, Mode, Role
from replicator.core.witness import NO_GRANT, Keep, Requested, Witness
from tests.fakes.pair import TICK_MS, Side

SITE = 2


class Wan:
    """Nodes 0 and 1, the pair, and node 2, the site."""

    def __init__(
        self,
        *,
        delay_ms: int = 0,
        log_records_max: int = 1 << 30,
        authority: Mode = Mode.PAIR,
        feed_after_ms: int = 5_000,
    ) -> None:
        self.now = 1_000_000 * MILLISECOND
        self.session = 0
        self.events: deque[tuple[Side, Event]] = deque()
        self.links: dict[int, tuple[Side, Side]] = {}
        self.carried: list[tuple[int, int, Message]] = []  # from, to, what
        sites = (Remote(SITE, "far", delay_ms * MILLISECOND),)
        follows = (Remote(0, "node 0"), Remote(1, "node 1"))
        feed_after = feed_after_ms * MILLISECOND
        self.witness: Witness | None = None
        members = [
            Settings("group", node, f"node {node}", 1 - node, sites=sites, feed_after=feed_after, authority=authority)
            for node in (0, 1)
        ]
        far = Settings("group", SITE, "far", -1, follows=follows, feed_after=feed_after, authority=Mode.MANUAL)
        self.a, self.b, self.c = (Side(self, settings.node, settings, log_records_max) for settings in (*members, far))
        if authority is Mode.WITNESS:
            self.witness = Witness(NO_GRANT, members[0].lease, self.now - 10_000 * MILLISECOND)

    @property
    def sides(self) -> tuple[Side, Side, Side]:
        return self.a, self.b, self.c

    # --- links ----------------------------------------------------------------------------------------------

    def link(self, *pairs: tuple[Side, Side]) -> None:
        """Let links come up."""
        for first, second in pairs:
            self.unlink(first, second)
            self.session += 1
            self.links[self.session] = (first, second)
            for side, other in ((first, second), (second, first)):
                if side.is_up:
                    side.step(LinkUp(self.session, other.node))
        self.settle()

    def link_all(self) -> None:
        self.link((self.a, self.b), (self.a, self.c), (self.b, self.c))

    def unlink(self, first: Side, second: Side) -> None:
        """Break the link between two."""
        for session, ends in list(self.links.items()):
            if {end.node for end in ends} == {first.node, second.node}:
                self.close(session)

    def isolate(self, side: Side) -> None:
        """Break all links of one."""
        self.died(side)

    def close(self, session: int) -> None:
        ends = self.links.pop(session, ())
        self.events = deque(
            (side, event)
            for side, event in self.events
            if not (isinstance(event, Received) and event.session == session)
        )
        for side in ends:
            if side.is_up:
                side.step(LinkDown(session, "cut"))

    def died(self, side: Side) -> None:
        for session, ends in list(self.links.items()):
            if side in ends:
                self.close(session)

    def carry(self, sender: Side, session: int, message: Message) -> None:
        ends = self.links.get(session)
        if ends is None:
            return
        receiver = ends[1] if ends[0] is sender else ends[0]
        self.carried.append((sender.node, receiver.node, message))
        self.events.append((receiver, Received(session, message)))

    def carry_to_witness(self, sender: Side, request: Request) -> None:
        if self.witness is None:
            return
        for effect in self.witness.step(self.now, Requested(0, request)):
            if not isinstance(effect, Keep) and effect.reply is not None:
                self.events.append((sender, WitnessSaid(effect.reply)))

    def shipped(self, sender: Side, receiver: Side) -> list[Message]:
        """What went from one to the other of records and items."""
        return [
            message
            for start, end, message in self.carried
            if (start, end) == (sender.node, receiver.node) and isinstance(message, Records | SnapshotItem)
        ]

    # --- time -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let everything happen that can without time passing."""
        for _ in range(100_000):
            if self.events:
                side, event = self.events.popleft()
                if side.is_up and side.stopped is None:
                    side.step(event)
            elif not any([side.work_disk() for side in self.sides]):
                return
        raise AssertionError("it never comes to rest")

    def run(self, milliseconds: int) -> None:
        """Let time pass."""
        for _ in range(0, milliseconds, TICK_MS):
            self.now += TICK_MS * MILLISECOND
            for side in self.sides:
                if side.is_up and side.stopped is None:
                    side.step(Tick())
            self.settle()


def joined(**chosen: object) -> Wan:
    """Return all three linked: node 0 active, the pair protected."""
    wan = Wan(**chosen)  # type: ignore[arg-type]
    wan.link_all()
    wan.run(4_000)
    assert [side.member.role for side in wan.sides] == [Role.ACTIVE, Role.PASSIVE, Role.PASSIVE]
    wan.carried.clear()
    return wan

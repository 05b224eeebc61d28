"""A pair and a site that follows it, moved by hand: each two of the three may be linked or not."""

from __future__ import annotations

from collections import deque

from replicator.core.events import LinkDown, LinkUp, Received, Remote, Settings
from replicator.core.messages import Message, Records, SnapshotItem
from replicator.core.status import Far
from replicator.core.values import MILLISECOND, Mode, Role
from replicator.core.witness import NO_GRANT, Witness
from tests.fakes.pair import Side, Surroundings

SITE = 2


class Wan(Surroundings):
    """Nodes 0 and 1, the pair, and node 2, the site."""

    def __init__(
        self,
        *,
        delay_ms: int = 0,
        log_records_max: int = 1 << 30,
        authority: Mode = Mode.PAIR,
        feed_after_ms: int = 5_000,
    ) -> None:
        super().__init__()
        self.links: dict[int, tuple[Side, Side]] = {}
        self.carried: list[tuple[int, int, Message]] = []  # from, to, what
        sites = (Remote(SITE, "far", delay_ms * MILLISECOND),)
        follows = (Remote(0, "node 0"), Remote(1, "node 1"))
        feed_after = feed_after_ms * MILLISECOND
        members = [
            Settings("group", node, f"node {node}", 1 - node, sites=sites, feed_after=feed_after, authority=authority)
            for node in (0, 1)
        ]
        far = Settings("group", SITE, "far", -1, follows=follows, feed_after=feed_after, authority=Mode.MANUAL)
        self.a, self.b, self.c = self.sides = tuple(
            Side(self, settings.node, settings, log_records_max) for settings in (*members, far)
        )
        if authority is Mode.WITNESS:
            self.witness = Witness(NO_GRANT, members[0].lease, self.now - 10_000 * MILLISECOND)

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

    def shipped(self, sender: Side, receiver: Side) -> list[Message]:
        """What went from one to the other of records and items."""
        return [
            message
            for start, end, message in self.carried
            if (start, end) == (sender.node, receiver.node) and isinstance(message, Records | SnapshotItem)
        ]


def joined(**chosen: object) -> Wan:
    """Return all three linked: node 0 active, the pair protected."""
    wan = Wan(**chosen)  # type: ignore[arg-type]
    wan.link_all()
    wan.run(4_000)
    assert roles(wan) == [Role.ACTIVE, Role.PASSIVE, Role.PASSIVE]
    wan.carried.clear()
    return wan


def roles(wan: Wan) -> list[Role]:
    """Return the role of each side."""
    return [side.member.role for side in wan.sides]


def far_of(side: Side, node: int) -> Far:
    """Return what a side knows of a far node."""
    return next(far for far in side.member.status.far if far.node == node)


def told(side: Side, verb: str = "promote", *, force: bool = False) -> tuple[bool, str, str]:
    """Give a side an order; return whether it is done, what the operator hears, and what is at risk."""
    answer = side.told[side.command(verb, force=force)]
    return answer.is_done, answer.text, answer.risk

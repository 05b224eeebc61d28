"""Clients that hand in mail, remember what they were told, and come again when they were told nothing good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.core.events import Answer
from replicator.core.values import Durability, Kind, PartValue, Record, Role
from tests.simulation.clock import MS, SECOND
from tests.simulation.ranks import QUEUED
from tests.simulation.site import SITE

if TYPE_CHECKING:
    from tests.simulation.script import Posting
    from tests.simulation.world import World

PATIENCE = 8 * SECOND
TRIES_MAX = 200


class Letter:
    """One message of one client; each try makes an item of its own key."""

    __slots__ = ("is_taken", "name", "parts", "tries")

    def __init__(self, name: str, parts: int) -> None:
        self.name = name
        self.parts = tuple(b"part%d" % n for n in range(parts))
        self.tries = 0
        self.is_taken = False


class Clients:
    """All clients together."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.letters: list[Letter] = []
        self.is_cut = [False, False, False]  # by node: they do not reach it, nor do its answers reach them

    def plan(self, postings: tuple[Posting, ...]) -> None:
        for posting in postings:
            letter = Letter(posting.name, posting.parts)
            self.letters.append(letter)
            self.world.clock.at(posting.when, self.hand_in, letter, posting.node)

    @property
    def are_content(self) -> bool:
        return all(letter.is_taken for letter in self.letters)

    def hand_in(self, letter: Letter, node: int) -> None:
        world = self.world
        machine = world.everybody[node]
        letter.tries += 1
        if not machine.is_alive or self.is_cut[node] or letter.tries > TRIES_MAX:
            self._again(letter, node)
            return
        key = f"{letter.name}.{letter.tries}".encode()
        value = PartValue(QUEUED, 0, machine.hybrid_ms(), machine.wall_ms(), b"")
        record = Record(
            Kind.PUT, key, parts=tuple((part, value) for part in letter.parts), meta=b"meta", blob=b"blob of " + key
        )
        world.clock.note(node, "DATA", key)
        reply = [False]
        token = world.clock.number()
        world.truth.handed_in(token, key)
        machine.runner.withheld.add(key)
        world.clock.after(PATIENCE, self._give_up, letter, node, reply)
        machine.submit(
            token, (record,), lambda answer: self._reply(letter, node, key, reply, answer), is_waited_for=True
        )

    def _reply(self, letter: Letter, node: int, key: bytes, reply: list[bool], answer: Answer | None) -> None:
        """Hear the answer; None is a connection that broke."""
        world = self.world
        if answer is not None and answer.durability != Durability.REFUSED:
            world.everybody[node].runner.withheld.discard(key)
        if reply[0]:
            return
        reply[0] = True
        if answer is not None and answer.durability != Durability.REFUSED:
            if self.is_cut[node] or (world.are_replies_lost and world.clock.happens(0.05)):
                world.clock.counts["250 lost on its way"] += 1
                answer = None
            else:
                letter.is_taken = True
                world.clock.counts["site took mail of clients"] += node == SITE
                return
        self._again(letter, node)

    def _give_up(self, letter: Letter, node: int, reply: list[bool]) -> None:
        if not reply[0]:
            reply[0] = True
            self._again(letter, node)

    def _again(self, letter: Letter, node: int) -> None:
        clock = self.world.clock
        clock.after(clock.between(100 * MS, 600 * MS), self.hand_in, letter, self._other(node))

    def _other(self, node: int) -> int:
        """Return where to try next: the other of the pair, or the site, where that is the owner."""
        site = self.world.site
        if node == SITE:
            return self.world.clock.chance.randrange(2)
        return SITE if site is not None and site.machine.role is Role.ACTIVE else 1 - node

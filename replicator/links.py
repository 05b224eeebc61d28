"""All links of one node: to its peer, to its sites, or at a site to the members that it follows.

Sessions are numbered over all of them, so that a session alone says which link is meant.
"""

from __future__ import annotations

from itertools import count

from replicator.connecting import link_settings, listening
from replicator.core.messages import Message
from replicator.report import Report
from replicator.settings import NodeSettings
from replicator.transport.link import Link, Problem, Receiver
from replicator.transport.listening import Listener

NO_LINK = Problem("down", "no link is configured")


class Links:
    """Opens, finds and ends them. receiver: is told what happens on each."""

    def __init__(self, settings: NodeSettings, receiver: Receiver, report: Report) -> None:
        """Make them; nothing is opened. Errors: ValueError when something that a link needs is not configured."""
        number = count(1).__next__
        self._receiver = receiver
        self._links = {towards.peer_node: Link(towards, self, report, number) for towards in link_settings(settings)}
        self._standing: dict[int, Link] = {}  # by session
        self._listener: Listener | None = None
        where = listening(settings)
        if where is not None:
            address, credentials, names = where
            expected = {name: self._links[node] for node, name in names.items()}
            self._listener = Listener(address, credentials, expected, report)

    async def start(self) -> None:
        """Listen and dial. Errors: OSError when the address is taken or a file of the credentials cannot be read."""
        if self._listener is not None:
            await self._listener.start()
        for link in self._links.values():
            await link.start()

    async def stop(self) -> None:
        """End all links."""
        for link in self._links.values():
            await link.stop()
        if self._listener is not None:
            await self._listener.stop()

    @property
    def listen_port(self) -> int:
        """The port that others connect to; 0 when none do."""
        return 0 if self._listener is None else self._listener.port

    def problem(self, node: int) -> Problem:
        """Say why no link to that node stands."""
        link = self._links.get(node)
        return NO_LINK if link is None else link.problem

    def send(self, session: int, message: Message) -> None:
        """Queue a message. On a session that is over it is dropped, as the link would have lost it."""
        link = self._standing.get(session)
        if link is not None:
            link.send(session, message)

    def close(self, session: int, why: str) -> None:
        """End a link after what is queued has been sent."""
        link = self._standing.get(session)
        if link is not None:
            link.close(session, why)

    def close_all(self, why: str) -> None:
        """End what stands; it is opened again."""
        for session in list(self._standing):
            self.close(session, why)

    async def room(self, session: int, stall_seconds: float) -> bool:
        """Wait until little waits to be sent; False when that session is over. Errors: TimeoutError when nothing was
        sent for so long."""
        link = self._standing.get(session)
        return link is not None and await link.room(session, stall_seconds)

    # what the links tell

    def link_up(self, session: int, node: int) -> None:
        """Pass on that a link stands."""
        self._standing[session] = self._links[node]
        self._receiver.link_up(session, node)

    def link_down(self, session: int, why: str) -> None:
        """Pass on that it does not any more."""
        self._standing.pop(session, None)
        self._receiver.link_down(session, why)

    async def ready(self) -> None:
        """Hold back what the node has no room for."""
        await self._receiver.ready()

    def received(self, session: int, message: Message) -> None:
        """Pass on what was said."""
        self._receiver.received(session, message)

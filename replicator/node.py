"""One running member: the pure core, its store and its link, driven by asyncio.

Input is collected and handed to the core in the order of its arrival; what the core asks for is done in list order.
Time passes for the core only after all input that had arrived. When a transaction cannot be made durable the core
is thrown away and a new one, of a new incarnation, starts from the durable image; the process lives on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from replicator.core.values import Item, Record, Role
from replicator.report import Report
from replicator.settings import NodeSettings
from replicator.status import NodeStatus, Submitted, Told
from replicator.store.store import Due, Store


class Node:
    """A member of a pair, or one alone. All methods are for the loop that ran start()."""

    def __init__(self, settings: NodeSettings, report: Report) -> None:
        self._settings = settings
        self._report = report
        self._on_role: Callable[[Role, str], None] = lambda role, why: None
        self._on_change: Callable[[frozenset[bytes]], None] = lambda keys: None
        self._on_drain: Callable[[], Awaitable[None]] | None = None
        self._store: Store
        self._role = Role.PASSIVE

    # --- before start ---------------------------------------------------------------------------------------

    def on_role(self, callback: Callable[[Role, str], None]) -> None:
        """Have `callback(role, why)` called after each change of role."""
        self._on_role = callback

    def on_change(self, callback: Callable[[frozenset[bytes]], None]) -> None:
        """Have `callback(keys)` called once a transaction with the items that it added, changed or removed."""
        self._on_change = callback

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have `callback()` awaited when the owner is to end its work in flight, before it hands over."""
        self._on_drain = callback

    async def start(self) -> None:
        """Open the store, start the core, listen or dial.

        Errors: StoreFormatError (written by a newer version), StoreOwnerError (another member's), StoreLockedError;
        OSError when the address cannot be listened on.
        """
        ...

    async def stop(self) -> None:
        """Refuse what still waits, end the link, wait for the transaction in flight, close the store."""
        ...

    # --- what may be asked ----------------------------------------------------------------------------------

    @property
    def is_owner(self) -> bool:
        """Tell whether this node may deliver from the queue at this moment."""
        return self._role is Role.ACTIVE

    @property
    def listen_port(self) -> int:
        """The port that the link listens on; 0 when this node dials."""
        ...

    async def submit(self, records: Sequence[Record], *, wait: bool) -> Submitted:
        """Make the records durable in one transaction, all or none, and say how far they got.

        wait   a client waits: answer when the peer has them too, or as policy says when it is away;
               otherwise answer when they are durable here
        Never raises for a full or failing disk: that is REFUSED.
        """
        ...

    async def command(self, verb: str, *, force: bool = False) -> Told:
        """Do what the operator wants: 'promote', 'switchover' or 'demote'."""
        ...

    def status(self) -> NodeStatus:
        """Say how this node and its peer are. Cheap: it reads no items."""
        ...

    # --- reads, of what is durable here ---------------------------------------------------------------------

    def item(self, key: bytes) -> Item | None:
        """Return an item without its blob; None when it is not here."""
        return self._store.item(key)

    async def blob(self, key: bytes) -> bytes | None:
        """Return an item's blob, checked against its hash; None when the item is not here."""
        ...

    def items(self, after: bytes = b"", limit: int = 100) -> list[Item]:
        """Return items in the order of their keys, from the first above `after` on."""
        return self._store.items(after, limit)

    def due(self, before_ms: int, limit: int = 100) -> list[Due]:
        """Return the parts that are due before that moment (UTC, milliseconds), the most overdue first."""
        return self._store.due(before_ms, limit)

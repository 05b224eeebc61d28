"""The queue in the process that owns it: mail turned into records, and read back for the runner and the operator."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from google.protobuf.message import DecodeError

from mtad.limits.ledger import Ledger
from mtad.mail.queue_id import QueueId
from mtad.spool import codec
from mtad.spool.codec import QueueFormatError, StoredMessage
from mtad.spool.counters import CounterStore
from mtad.spool.door import (
    DUE_AT_ONCE,
    FAR_MS,
    TERMINAL_RANK,
    Changes,
    Claim,
    Committed,
    Rank,
    RecipientState,
    Refusal,
    Refused,
)
from mtad.spool.memories import LocalMemories
from mtad.telemetry.events import Events
from replicator.core.compare import Comparison
from replicator.core.values import Durability, Item, Kind, PartValue, Record
from replicator.node import Node
from replicator.resyncing import Resynced
from replicator.status import FarStatus as FarStatus
from replicator.status import NodeStatus as NodeStatus
from replicator.status import Submitted, Told
from replicator.store.compaction import Compacted
from replicator.store.store import Due

PAGE_ITEMS = 256
FULL_CHECK_MS = 100
REDATE_PAUSE_SECONDS = 0.025  # after each page: a tenth of the process's time at most
_REFUSALS = {"full": Refusal.FULL, "peer": Refusal.PEER}
_COMMITTED = {
    Durability.LOCAL: Committed(1),
    Durability.RECEIVED: Committed(1, is_received=True),
    Durability.REMOTE: Committed(2),
}


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """When the queue stops taking mail."""

    free_permille_min: int = 150  # 85 % full: the rest is kept for the ends of what is here


@dataclass(frozen=True, slots=True)
class DueRecipient:
    """A recipient whose time has come.

    is_answered   False while a client waits to hear whether its message is kept: it may still be taken back
    is_urged      it has been tried, and an operator wants it to be tried at once (known of what `due_of` returns)
    """

    due_ms: int
    queue_id: QueueId
    recipient: str
    is_answered: bool = True
    is_urged: bool = False


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of an operator's verb: the messages of which it is true now, and why it ended before the others."""

    done: list[QueueId]
    refused: Refusal | None = None


class LocalSpool:
    """The door, and all else that the owning process may ask of the queue."""

    def __init__(
        self, node: Node, limits: SpoolLimits, events: Events, wall_ms: Callable[[], int], ledger: Ledger
    ) -> None:
        self._node = node
        self._limits = limits
        self._events = events
        self._wall_ms = wall_ms
        self._hlc_last = 0
        self._unanswered: set[bytes] = set()
        self._on_change: Callable[[Collection[QueueId]], None] = lambda _queue_ids: None
        self._on_flush: Callable[[], None] = lambda: None
        self.memories = LocalMemories(node, events, wall_ms)
        self.counters = CounterStore(node, ledger, events, wall_ms)
        node.on_change(self._changed)
        self._full_checked_ms = 0
        self._was_full = False

    # --- the door -------------------------------------------------------------------------------------------

    async def commit(self, changes: Changes, *, is_accepting: bool) -> Committed | Refused:
        """Keep the changes, all or none (see `mtad.spool.door.Door`)."""
        if is_accepting and self.is_full():
            return Refused(Refusal.FULL)
        records = self._records(changes)
        if not records:
            return Committed(0)
        brought = {record.key for record in records if record.kind is Kind.PUT} if is_accepting else set()
        self._unanswered |= brought
        try:
            submitted = await self._node.submit(records, wait=is_accepting)
        finally:
            self._unanswered -= brought
            if brought:
                self._on_change([key.decode("ascii") for key in brought])
        return self._answer(submitted, len(records))

    def _answer(self, submitted: Submitted, records_count: int) -> Committed | Refused:
        if submitted.durability is Durability.REFUSED:
            self._events.emit("queue.refused", level="error", why=submitted.why, records=records_count)
            return Refused(_REFUSALS.get(submitted.why, Refusal.FAILED))
        return _COMMITTED[submitted.durability]

    def is_full(self) -> bool:
        """Tell whether new mail is refused; the store is asked once in FULL_CHECK_MS."""
        now_ms = self._wall_ms()
        if abs(now_ms - self._full_checked_ms) >= FULL_CHECK_MS:
            self._full_checked_ms = now_ms
            free_permille = self._node.status().free_permille
            was_full, self._was_full = self._was_full, free_permille < self._limits.free_permille_min
            if self._was_full != was_full:
                self._events.emit(
                    "queue.full" if self._was_full else "queue.room", level="warning", free_permille=free_permille
                )
        return self._was_full

    def _hlc(self) -> int:
        self._hlc_last = max(self._wall_ms(), self._hlc_last + 1)
        return self._hlc_last

    def _records(self, changes: Changes) -> tuple[Record, ...]:
        """Return what the changes write. Of a message that was finished meanwhile, by the peer or an operator,
        nothing is left to say, and no DSN to send."""
        hlc = self._hlc()
        items = {queue_id: self._node.item(codec.key_of(queue_id)) for queue_id in changes.states}
        gone = {queue_id for queue_id, item in items.items() if item is None}
        records = [codec.put_record(message, hlc) for message in changes.puts if message.dsn_of not in gone]
        for queue_id, states in changes.states.items():
            item = items[queue_id]
            if item is not None:
                records += codec.told_records(item, states, hlc)
        return tuple(records)

    def _here(self, named: Mapping[QueueId, Collection[str]]) -> Iterator[tuple[Item, Collection[str]]]:
        """Give the items of the messages that are here still, with what is named of each."""
        for queue_id, addresses in named.items():
            item = self._node.item(codec.key_of(queue_id))
            if item is not None:
                yield item, addresses

    # --- for the runner -------------------------------------------------------------------------------------

    async def claim(self, claimed: Mapping[QueueId, Collection[str]], claim: Claim) -> None:
        """Note that some recipients may be delivered from now on; return when the peer knows, or is known to be away.

        Nothing is refused: what cannot be noted for want of room would be delivered without.
        """
        records = [
            codec.claim_record(item, addresses, claim, self._hlc())
            for item, addresses in self._here(claimed)
            if not codec.is_held(item)
        ]
        await self._submit_some(records, wait=True)

    async def give_back(self, claimed: Mapping[QueueId, Collection[str]], node: int) -> None:
        """End the node's claims on recipients that were not delivered: whoever owns the queue may try them at once."""
        records = [codec.give_back_record(item, addresses, node) for item, addresses in self._here(claimed)]
        await self._submit_some(records, wait=False)

    async def _submit_some(self, records: Sequence[Record], *, wait: bool) -> None:
        told = tuple(record for record in records if record.parts)
        if told:
            await self._node.submit(told, wait=wait)

    @property
    def is_owner(self) -> bool:
        """Tell whether this node may deliver from the queue now."""
        return self._node.is_owner

    @property
    def epoch(self) -> int:
        """The number of the grant by which the queue is owned."""
        return self._node.status().epoch

    def on_change(self, callback: Callable[[Collection[QueueId]], None]) -> None:
        """Call back with the messages that have changed, or are gone; with those that are answered for, again; and with
        none when the right to deliver has changed."""
        self._on_change = callback
        self._node.on_role(lambda _role, _epoch, _why: callback(()))

    def on_flush(self, callback: Callable[[], None]) -> None:
        """Call back before something is flushed at this node, if there is anything to flush or not."""
        self._on_flush = callback

    def _changed(self, keys: frozenset[bytes]) -> None:
        mail = [key for key in keys if key < codec.BESIDE_MAIL]
        if len(mail) < len(keys):
            self.memories.changed(keys)
            self.counters.changed(keys)
        if mail:
            self._on_change([key.decode("ascii") for key in mail])

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Call back when the right to deliver is about to be handed over; it must end what is in flight."""
        self._node.on_drain(callback)

    def due(self, before_ms: int, limit: int, after: DueRecipient | None = None) -> list[DueRecipient]:
        """Return up to `limit` recipients that are due, the longest due first, or the first behind `after`."""
        behind = None
        if after is not None:
            behind = Due(after.due_ms, codec.key_of(after.queue_id), codec.part_of(after.recipient))
        return [
            DueRecipient(due_ms, key.decode("ascii"), codec.address_of(part), key not in self._unanswered)
            for due_ms, key, part in self._node.due(before_ms, limit, behind)
        ]

    def due_of(self, queue_id: QueueId, before_ms: int) -> list[DueRecipient]:
        """Return the recipients of one message that are due."""
        key = codec.key_of(queue_id)
        item = self._node.item(key)
        is_answered = key not in self._unanswered
        return [
            DueRecipient(value.due, queue_id, codec.address_of(part), is_answered, _is_urged(value))
            for part, value in ({} if item is None else item.parts).items()
            if value.rank < TERMINAL_RANK and value.due < before_ms
        ]

    def sender_of(self, queue_id: QueueId) -> codec.Sender | None:
        """Return whose a message is, or None when it is not in the queue."""
        item = self._node.item(codec.key_of(queue_id))
        return None if item is None else codec.sender_of(item)

    def is_deliverable(self, queue_id: QueueId) -> bool:
        """Tell whether the message is still here, and no operator holds it."""
        item = self._node.item(codec.key_of(queue_id))
        return item is not None and not codec.is_held(item)

    def message(self, queue_id: QueueId, known: StoredMessage | None = None) -> StoredMessage | None:
        """Return a message without its content, or None when it is not in the queue.

        known   what it was before; returned where nothing has changed since, which is cheaper than to read it anew
        """
        item = self._node.item(codec.key_of(queue_id))
        if item is None:
            return None
        return known if known is not None and known.item == item else codec.read_message(item)

    async def content(self, queue_id: QueueId) -> bytes | None:
        """Return a message's content, checked against its digest; None when the message is gone."""
        return await self._node.blob(codec.key_of(queue_id))

    async def tell(self, message: StoredMessage, states: Mapping[str, RecipientState]) -> Committed | Refused:
        """Record what became of recipients of a message that is not here any more.

        Where it was found damaged that counts when it comes back from the peer; where it was finished it says nothing.
        """
        records = codec.told_records(message.item, states, self._hlc())
        return self._answer(await self._node.submit(records, wait=False), len(records))

    async def redate(self) -> int:
        """Date by this node's clock what one that is ahead of it has put off; return how many recipients that were.

        The whole queue is looked through, with pauses for what is more urgent.
        """
        count, after = 0, b""
        while page := self._node.items(after, PAGE_ITEMS):
            wall_ms, hlc = self._wall_ms(), self._hlc()
            records = [record for item in page if (record := codec.redated_record(item, wall_ms, hlc)).parts]
            count += sum(len(record.parts) for record in records)
            await self._submit_some(records, wait=False)
            after = page[-1].key
            await asyncio.sleep(REDATE_PAUSE_SECONDS)
        return count

    # --- for the operator -----------------------------------------------------------------------------------

    def status(self) -> NodeStatus:
        """Return the state of the node and of its pair. What is remembered and counted is no mail."""
        status = self._node.status()
        totals = status.totals._replace(items=self._mail_of(status.totals.items))
        return replace(status, totals=totals)

    async def command(self, verb: str, *, force: bool) -> Told:
        """Carry out `promote`, `switchover` or `demote`; says whether it was done, and what it costs."""
        return await self._node.command(verb, force=force)

    async def verify(self) -> Comparison:
        """Compare this node's queue with its peer's by digests, and what both remember; only messages are counted."""
        return self._of_mail(await self._node.verify())

    def _of_mail(self, compared: Comparison) -> Comparison:
        return compared._replace(items=self._mail_of(compared.items))

    def _mail_of(self, items_count: int) -> int:
        return max(0, items_count - len(self.memories) - len(self.counters))

    async def resync(self, *, is_full: bool, force: bool) -> Resynced:
        """Fill this node's queue again from its peer's: with what differs, or an empty one with everything."""
        came = await self._node.resync(is_full=is_full, force=force)
        of_mail = came._replace(compared=self._of_mail(came.compared))
        if came.set_aside:
            await self._look_beside_mail()
        return of_mail

    async def _look_beside_mail(self) -> None:
        """Forget what was remembered and counted in a store that was set aside, until it comes from the peer."""
        keys = (*self.memories.keys(), *self.counters.keys())
        for start in range(0, len(keys), PAGE_ITEMS):
            self._changed(frozenset(keys[start : start + PAGE_ITEMS]))
            await asyncio.sleep(0)

    async def back_up(self, folder: Path) -> int:
        """Copy the queue as it is now into an empty folder; return the octets. Errors: OSError."""
        return await self._node.back_up(folder)

    async def compact(self) -> Compacted:
        """Give what is free in the queue's file back to the disk; commits wait meanwhile. Errors: lmdb.Error."""
        return await self._node.compact()

    def pages(self) -> Iterator[Sequence[StoredMessage]]:
        """Return all messages, oldest first, in pages; other work may run between two.

        One that a newer program wrote is left out and reported: it must not hide the others.
        """
        after = b""
        while page := self._node.items(after, PAGE_ITEMS):
            mail = takewhile(lambda item: item.key < codec.BESIDE_MAIL, page)
            yield [message for item in mail if (message := self._readable(item)) is not None]
            after = page[-1].key
            if after >= codec.BESIDE_MAIL:
                return

    def _readable(self, item: Item) -> StoredMessage | None:
        try:
            return codec.read_message(item)
        except (QueueFormatError, DecodeError) as error:
            self._events.emit("queue.unreadable", level="error", queue_id=item.key.decode("ascii"), error=str(error))
            return None

    async def act(self, verb: str, queue_ids: Sequence[QueueId]) -> Acted:
        """Carry out `flush`, `hold`, `release` or `delete`, page by page, until the queue cannot keep a change."""
        done: list[QueueId] = []
        refused = None
        act = _ACTS[verb]
        if act is _flush:
            self._on_flush()
        for start in range(0, len(queue_ids), PAGE_ITEMS):
            records: list[Record] = []
            changed: list[QueueId] = []
            for queue_id in queue_ids[start : start + PAGE_ITEMS]:
                item = self._node.item(codec.key_of(queue_id))
                written = None if item is None else act(item, self._wall_ms(), self._hlc())
                if written is not None:
                    records += written
                    changed.append(queue_id)
            if records:
                submitted = await self._node.submit(tuple(records), wait=False)
                if submitted.durability is Durability.REFUSED:
                    refused = _REFUSALS.get(submitted.why, Refusal.FAILED)
                    break
            done += changed
        self._events.emit("queue.operator", verb=verb, messages=len(done), refused=refused or "")
        return Acted(done, refused)


# What each verb writes; nothing where the message is so already, None where the verb is not for it.


def _flush(item: Item, wall_ms: int, hlc: int) -> list[Record] | None:
    """Have retried what was tried, where deliver says; not what is being tried, or may have arrived a moment ago."""
    if codec.is_held(item):
        return None

    def due_ms(value: PartValue) -> int | None:
        return None if value.rank < Rank.DEFERRED or _claimed_until(value, wall_ms) else DUE_AT_ONCE

    record = codec.due_record(item, due_ms, hlc, is_routed_anew=True)
    return [record] if record.parts else []


def _hold(item: Item, wall_ms: int, hlc: int) -> list[Record]:
    if codec.is_held(item):
        return []
    return [
        codec.flags_record(item, is_held=True, reason="by an operator", hlc=hlc),
        codec.due_record(item, lambda _value: FAR_MS, hlc),
    ]


def _release(item: Item, wall_ms: int, hlc: int) -> list[Record]:
    """Have it tried at once, but for what is being tried still."""
    if not codec.is_held(item):
        return []
    return [
        codec.flags_record(item, is_held=False, reason="", hlc=hlc),
        codec.due_record(item, lambda value: _claimed_until(value, wall_ms) or DUE_AT_ONCE, hlc),
    ]


def _delete(item: Item, wall_ms: int, hlc: int) -> list[Record]:
    return [codec.cancel_record(item, hlc), codec.done_record(item)]


def _is_urged(value: PartValue) -> bool:
    return value.rank == Rank.DEFERRED and value.due == DUE_AT_ONCE


def _claimed_until(value: PartValue, wall_ms: int) -> int:
    """Return when the claim on a part ends; 0 where there is none, or it has ended."""
    claim = codec.claim_of(value)
    return claim.until_ms if claim is not None and claim.until_ms > wall_ms else 0


_ACTS: Mapping[str, Callable[[Item, int, int], list[Record] | None]] = {
    "flush": _flush,
    "hold": _hold,
    "release": _release,
    "delete": _delete,
}
ACTS = frozenset(_ACTS)

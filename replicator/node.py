"""One running member: the pure core, its store and its link, driven by asyncio.

Input is collected and handed to the core in the order of its arrival; what the core asks for is done in list order.
Time passes for the core only after all input that had arrived. When a transaction cannot be made durable the core
is thrown away and a new one, of a new incarnation, starts from the durable image; the process lives on.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import lmdb

from replicator.clock import now
from replicator.codec import DamagedError
from replicator.comparing import Comparing
from replicator.connecting import voting_settings
from replicator.core import events as core
from replicator.core.compare import Comparison
from replicator.core.grants import Reply
from replicator.core.member import Member
from replicator.core.messages import Compare, Compared, Message
from replicator.core.values import Damage, Durability, Item, Record, Role
from replicator.links import Links
from replicator.report import Level, Report, Sparing
from replicator.resyncing import Resynced, fetch, refill
from replicator.scrubbing import scrub_for_ever
from replicator.settings import NO_PEER, NodeSettings
from replicator.shipping import Shipping
from replicator.status import NodeStatus, Submitted, Told
from replicator.store.aside import no_room, set_aside
from replicator.store.backup import back_up
from replicator.store.compaction import Compacted, compact
from replicator.store.environment import StoreSettings
from replicator.store.store import Due, Store
from replicator.store.writer import Writer, Written
from replicator.transport.voting import Voting
from replicator.view import grants_nothing, role_name, view
from replicator.waiting import Waiting

TICK_SECONDS = 0.05
RESTART_SECONDS = 1.0
COMMAND_SECONDS_MAX = 15.0
SPARE_NS = 200_000_000  # of a lease: what a final dot and its way to the next hop may take
RECEIVED_OCTETS_MAX = 8 << 20  # with more than this waiting for the disk, less is read from the links
RECEIVED_WAIT_SECONDS_MAX = 0.25  # for it, before each packet
INLINE_BLOB_OCTETS = 256 << 10  # larger blobs are read and hashed off the loop
_SETTLE_TURNS = 3  # of the loop, in which what has arrived on the sockets becomes events


class Node:
    """A member of a pair, or one alone. All methods are for the loop that ran start()."""

    def __init__(self, settings: NodeSettings, report: Report) -> None:
        self._settings = settings
        self._report = Sparing(report)
        self._on_role: list[Callable[[Role, int, str], None]] = []
        self._on_change: Callable[[frozenset[bytes]], None] = lambda _keys: None
        self._on_drain: Callable[[], Awaitable[None]] | None = None
        self._input: deque[core.Event] = deque()
        self._is_pumping = False
        self._is_scheduled = False
        self._is_stopping = False
        self._generation = 0
        self._answers: Waiting[Submitted] = Waiting()
        self._tellings: Waiting[Told] = Waiting()
        self._member: Member | None = None
        self._voting: Voting | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._shipping: Shipping | None = None
        self._session = 0  # of the link to the peer
        self._room = asyncio.Event()
        self._active = asyncio.Event()
        self._failure = ""

    # --- before start ---------------------------------------------------------------------------------------

    def on_role(self, callback: Callable[[Role, int, str], None]) -> None:
        """Have `callback(role, epoch, why)` called after each change of role, behind those that are there."""
        self._on_role.append(callback)

    def on_change(self, callback: Callable[[frozenset[bytes]], None]) -> None:
        """Have `callback(keys)` called once a transaction with the items that it added, changed or removed."""
        self._on_change = callback

    def on_drain(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Have `callback()` awaited when the owner is to end its work in flight, before it hands over."""
        self._on_drain = callback

    async def start(self) -> None:
        """Open the store, start the core, listen or dial.

        Errors: StoreFormatError (written by a newer version), StoreOwnerError (another member's), StoreLockedError,
        DamagedError, lmdb.Error; OSError when the address cannot be listened on; ValueError for a peer without
        address or credentials.
        """
        settings = self._settings
        self._loop = asyncio.get_running_loop()
        self._executor = ThreadPoolExecutor(max_workers=2, thread_name_prefix="replica-reader")
        self._links = Links(settings, self, self._report)
        to_witness = None if settings.peer_node == NO_PEER else voting_settings(settings)
        self._store = Store(
            StoreSettings(
                settings.store_path,
                settings.node,
                settings.terminal_rank,
                settings.map_octets,
                settings.map_octets_max,
                settings.log_octets_max,
                settings.log_seconds_max,
            )
        )
        self._writer = Writer(self._store, self._deliver)
        self._writer.start()
        self._comparing = Comparing(self._store, self._executor, self._links.send)
        if to_witness is not None:
            self._voting = Voting(to_witness, self._witness_said, self._report)
        try:
            self._begin_member()
        except (DamagedError, lmdb.Error):
            self._writer.stop()
            self._store.close()
            raise
        self._ticking = asyncio.create_task(self._tick_for_ever(), name="replica-tick")
        if settings.scrub_octets_per_second:
            self._spawn(scrub_for_ever(self._store, self._executor, settings, self._report))
        try:
            if self._voting is not None:
                await self._voting.start()
            await self._links.start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Refuse what still waits, end the link, wait for the transaction in flight, close the store."""
        self._is_stopping = True
        self._ticking.cancel()
        await self._links.stop()
        self._end_member("stopping")
        if self._voting is not None:
            await self._voting.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self._ticking, *self._tasks, return_exceptions=True)
        await asyncio.to_thread(self._writer.stop)
        self._executor.shutdown(wait=True)
        self._store.close()

    # --- what may be asked ----------------------------------------------------------------------------------

    @property
    def is_owner(self) -> bool:
        """Tell whether this node may deliver from the queue at this moment, and long enough to end a message."""
        return self._member is not None and self._member.is_owner_at(now(), SPARE_NS)

    @property
    def listen_port(self) -> int:
        """The port that others connect to; 0 when none do."""
        return self._links.listen_port

    async def submit(self, records: Sequence[Record], *, wait: bool) -> Submitted:
        """Make the records durable in one transaction, all or none, and say how far they got.

        wait   a client waits: answer when the peer has them too, or as policy says when it is away;
               otherwise answer when they are durable here
        Never raises for a full or failing disk: that is REFUSED. Waits while too much is queued for the disk. New
        items leave a reserve of the store untouched, so that the ends of old ones can always be recorded.
        """
        while self._member is not None and self._writer.waiting_octets > self._settings.waiting_octets_max:
            self._room.clear()
            await self._room.wait()
        if self._member is None:
            return Submitted(Durability.REFUSED, self._failure or "failed")
        if not self._writer.has_room_for(records):
            return Submitted(Durability.REFUSED, "full")
        token = self._answers.begin()
        self._feed(core.Submit(token, tuple(records), wait))
        return await self._answers.answer_to(token)

    async def command(self, verb: str, *, force: bool = False) -> Told:
        """Do what the operator wants: 'promote', 'switchover', 'demote', or 'refill' (see resync).

        A promotion is done when this node is active.
        """
        if self._member is None:
            return Told(False, f"the store cannot commit: {self._failure}")
        token = self._tellings.begin()
        self._feed(core.Command(token, verb, force))
        try:
            async with asyncio.timeout(COMMAND_SECONDS_MAX):
                told = await self._tellings.answer_to(token)
        except TimeoutError:
            return Told(False, f"{verb}: no end within {COMMAND_SECONDS_MAX:g} s")
        return await self._risen(told) if verb == "promote" and told.is_done else told

    async def _risen(self, told: Told) -> Told:
        """Wait for the role that was ordered: where the witness grants it, it may not come."""
        if self._active.is_set():
            return told
        seconds = min(COMMAND_SECONDS_MAX, 2 * self._settings.lease_seconds)  # for which the witness is asked
        try:
            async with asyncio.timeout(seconds):
                await self._active.wait()
        except TimeoutError:
            status = self.status()
            why = f"the role is {status.role}" if status.witness is None else grants_nothing(status.witness)
            return Told(False, f"not active within {seconds:g} s: {why}")
        return Told(True, "", told.risk)

    async def verify(self) -> Comparison:
        """Compare with the peer, item by item, by digests; mail may flow meanwhile."""
        if self._settings.peer_node == NO_PEER:
            return Comparison(why="this node has no peer to compare with")
        if self.status().peer.state != "up":
            return Comparison(why="no link to the peer stands")
        return await self._comparing.verify(self._session)

    async def resync(self, *, is_full: bool, force: bool) -> Resynced:
        """Fill the store again from the peer: with what differs, or, when `is_full`, an empty store with everything."""
        return await (refill if is_full else fetch)(self, force=force)

    def doubt(self, damages: tuple[Damage, ...]) -> None:
        """Have the core fetch what the peer was found to hold otherwise."""
        self._feed(core.Damaged(damages))

    def no_room(self) -> str:
        """Return why a second store has no place beside this one; "" when it has."""
        return no_room(self._store)

    async def back_up(self, folder: Path) -> int:
        """Copy the store as it is now into an empty folder; return the octets. Errors: OSError."""
        return await self._loop.run_in_executor(self._executor, back_up, self._store, folder)

    async def compact(self) -> Compacted:
        """Give what is free in the store's file back to the disk; commits wait until that is done.

        Errors: lmdb.Error.
        """
        return await self._loop.run_in_executor(self._executor, compact, self._store.environment, self._writer)

    # --- reads, of what is durable here ---------------------------------------------------------------------

    def item(self, key: bytes) -> Item | None:
        """Return an item without its blob; None when it is not here, or away because it was found damaged."""
        return self._store.item(key)

    async def blob(self, key: bytes) -> bytes | None:
        """Return an item's blob; None when the item is not here, or away because it was found damaged."""
        item = self._store.item(key)
        if item is None or item.size <= INLINE_BLOB_OCTETS:
            return self._store.blob(key)
        return await self._loop.run_in_executor(self._executor, self._store.blob, key)

    def items(self, after: bytes = b"", limit: int = 100) -> list[Item]:
        """Return items in the order of their keys, from the first above `after` on; what is away is left out."""
        return self._store.items(after, limit)

    def due(self, before_ms: int, limit: int = 100, after: Due | None = None) -> list[Due]:
        """Return the parts that are due before that moment (UTC, milliseconds), the most overdue first.

        after   go on behind this one, whether it is still there or not
        """
        return self._store.due(before_ms, limit, after)

    # --- the core's life ------------------------------------------------------------------------------------

    def _begin_member(self) -> None:
        """Start a core on the durable image."""
        self._member = Member(self._settings.for_core(), self._store.image(), secrets.randbits(64), now())
        self._last_status = self._member.status
        self._failure = ""
        self._shipping = Shipping(self._store, self._links, self._executor, self._take, self._report)

    def _end_member(self, why: str) -> None:
        """Throw the core away: what waits for it is refused, its link and its errands end."""
        self._member = None
        self._generation += 1
        self._input.clear()
        self._failure = why
        if self._shipping is not None:
            self._shipping.cancel()
            self._shipping = None
        self._links.close_all(f"the member ended: {why}")
        self._answers.answer_all(Submitted(Durability.REFUSED, "full" if why == "full" else "failed"))
        self._tellings.answer_all(Told(False, f"the member ended: {why}"))
        self._room.set()

    async def _begin_again(self) -> None:
        """Start a new core as soon as the store can be read; each try costs a second."""
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            try:
                await asyncio.to_thread(self._writer.begin, self._generation)
                await asyncio.to_thread(self._store.reopen)
                self._begin_member()
            except (lmdb.Error, DamagedError, OSError) as error:
                self._report.emit("replica.store_failed", level="error", what=str(error))
            else:
                self._report.emit("replica.started_again", level="warning", generation=self._generation)
                return

    # --- events in, effects out -----------------------------------------------------------------------------

    def _feed(self, event: core.Event) -> None:
        """Queue an event for the core; it is handed over when the loop has taken in what else has arrived."""
        self._input.append(event)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._pump)

    def _pump(self) -> None:
        """Hand everything that waits to the core and do what it asks for."""
        self._is_scheduled = False
        if self._is_pumping:
            return
        self._is_pumping = True
        try:
            while self._input and self._member is not None:
                self._step(self._member, self._input.popleft())
        finally:
            self._is_pumping = False

    def _step(self, member: Member, event: core.Event) -> None:
        try:
            effects = member.step(now(), event)
        except Exception as error:  # noqa: BLE001 - a core that contradicts itself ends here, and alone
            self._report.emit("replica.fault", level="error", event=type(event).__name__, what=repr(error))
            self._stop_member("failed")
            return
        for effect in effects:
            _EFFECTS[type(effect)](self, effect)

    def _take(self, event: core.Event) -> None:
        """Hand an event to the core at once, after what was there before it."""
        self._input.append(event)
        self._pump()

    async def _tick_for_ever(self) -> None:
        """Let time pass for the core, each time after the input that had arrived."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            for _ in range(_SETTLE_TURNS):
                await asyncio.sleep(0)
            self._tell_damage()
            self._take(core.Tick(self._store.free_permille()))

    def _tell_damage(self) -> None:
        """Tell the core what reads have found damaged since it was last told."""
        damage = self._store.damage
        if damage:
            self._take(core.Damaged(tuple(damage.popleft() for _ in range(len(damage)))))

    def _deliver(self, written: Written) -> None:
        """Bring what the writer's thread says to the loop."""
        self._loop.call_soon_threadsafe(self._written, written)

    def _written(self, written: Written) -> None:
        """Take in what became of a transaction."""
        if written.generation == self._generation:
            if written.why:
                self._report.emit("replica.commit_failed", level="error", why=written.why, what=written.detail)
                self._failure = written.why
                self._feed(core.CommitFailed(written.ticket, written.why))
            else:
                self._feed(core.Committed(written.ticket, written.finished, written.away, written.back))
        self._room.set()
        if written.keys:
            self._on_change(written.keys)

    # the links' side (transport.link.Receiver)

    def link_up(self, session: int, node: int) -> None:
        """Tell the core, or end the link when there is none to talk to."""
        if self._member is None:
            self._links.close(session, "the store cannot commit")
            return
        if node == self._settings.peer_node:
            self._session = session
        self._feed(core.LinkUp(session, node))

    def link_down(self, session: int, why: str) -> None:
        """Tell the core."""
        if session == self._session:
            self._comparing.cancel()
        self._feed(core.LinkDown(session, why))

    async def ready(self) -> None:
        """Wait for the disk before more is read: else memory, and what is accepted here, would pay for a snapshot."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RECEIVED_WAIT_SECONDS_MAX):
                while self._writer.waiting_octets > RECEIVED_OCTETS_MAX:
                    self._room.clear()
                    await self._room.wait()

    def received(self, session: int, message: Message) -> None:
        """Tell the core."""
        if isinstance(message, Compare | Compared):
            self._comparing.received(session, message)
            return
        self._feed(core.Received(session, message))

    def _witness_said(self, reply: Reply) -> None:
        """Tell the core what the witness answered. A member that began meanwhile finds that it is not meant."""
        self._feed(core.WitnessSaid(reply))

    # what the core asks for

    def _do_ask_witness(self, effect: core.AskWitness) -> None:
        if self._voting is not None:
            self._voting.send(effect.request)

    def _do_commit(self, effect: core.Commit) -> None:
        self._writer.put(effect)

    def _do_send(self, effect: core.Send) -> None:
        self._links.send(effect.session, effect.message)

    def _do_close_link(self, effect: core.CloseLink) -> None:
        self._links.close(effect.session, effect.why)

    def _do_read_log(self, effect: core.ReadLog) -> None:
        if self._shipping is not None:
            self._shipping.read_log(effect)

    def _do_read_snapshot(self, effect: core.ReadSnapshot) -> None:
        if self._shipping is not None:
            self._shipping.read_snapshot(effect)

    def _do_read_item(self, effect: core.ReadItem) -> None:
        if self._shipping is not None:
            self._shipping.read_item(effect)

    def _do_answer(self, effect: core.Answer) -> None:
        why = self._failure or effect.why if effect.durability is Durability.REFUSED else ""
        self._answers.answer(effect.token, Submitted(effect.durability, why))

    def _do_told(self, effect: core.Told) -> None:
        self._tellings.answer(effect.token, Told(effect.is_done, effect.text, effect.risk))

    def _do_role_changed(self, effect: core.RoleChanged) -> None:
        self._change_role(effect.role, effect.authority.epoch, effect.why)

    def _change_role(self, role: Role, epoch: int, why: str) -> None:
        name = role_name(role, is_site=bool(self._settings.follows))
        self._report.emit("replica.role", role=name, epoch=epoch, why=why)
        (self._active.set if role is Role.ACTIVE else self._active.clear)()
        for callback in self._on_role:
            try:
                callback(role, epoch, why)
            except Exception as error:  # noqa: BLE001 - another room's; its fault must not end the member
                self._report.emit("replica.fault", level="error", event="role callback", what=repr(error))

    def _do_drain(self, effect: core.Drain) -> None:
        self._spawn(self._drain(self._generation, effect.attempt))

    async def _drain(self, generation: int, attempt: int) -> None:
        """Have the work in flight ended. When it does not end, the core is told nothing and resumes as owner."""
        try:
            if self._on_drain is not None:
                await asyncio.wait_for(self._on_drain(), self._settings.drain_seconds_max)
        except Exception as error:  # noqa: BLE001 - the callback is another room's; its fault must not end the member
            self._report.emit("replica.drain_failed", level="warning", what=repr(error))
            return
        if generation == self._generation:
            self._feed(core.Drained(attempt))

    def _do_note(self, effect: core.Note) -> None:
        self._report.emit(effect.name, level=_LEVELS.get(effect.name, "info"), **dict(effect.fields))

    def _do_begin_empty(self, effect: core.BeginEmpty) -> None:
        """End the member at once: what was decided about its store would not hold of what comes after."""
        telling = self._tellings.take(effect.token)
        self._leave("its store is set aside")
        self._spawn(self._begin_empty(telling, effect.risk))

    async def _begin_empty(self, telling: asyncio.Future[Told] | None, risk: str) -> None:
        try:
            folder = await self._loop.run_in_executor(
                self._executor, set_aside, self._store, self._writer, self._generation
            )
        except (OSError, lmdb.Error) as error:
            told = Told(False, f"the store cannot be set aside: {error}")
        else:
            self._report.emit("replica.set_aside", level="warning", folder=str(folder))
            told = Told(True, str(folder), risk)
        await self._begin_again()
        if telling is not None and not telling.done():
            telling.set_result(told)

    def _do_stop(self, effect: core.Stop) -> None:
        self._stop_member(effect.why)

    def _stop_member(self, why: str) -> None:
        self._leave(why)
        if not self._is_stopping:
            self._spawn(self._begin_again())

    def _leave(self, why: str) -> None:
        """Throw the core away, and say that this node owns nothing."""
        epoch = self._member.authority.epoch if self._member is not None else 0
        self._end_member(why)
        self._change_role(Role.PASSIVE, epoch, f"the member ended: {why}")

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- status ---------------------------------------------------------------------------------------------

    def status(self) -> NodeStatus:
        """Say how this node and its peer are. Cheap: it reads no items."""
        if self._member is not None:
            self._last_status = self._member.status
        return view(
            self._settings,
            self._last_status,
            self._links.problem,
            None if self._voting is None else self._voting.problem,
            self._store,
            is_stopped=self._member is None,
        )


_EFFECTS: dict[type, Callable[[Node, Any], None]] = {
    core.Commit: Node._do_commit,
    core.Send: Node._do_send,
    core.CloseLink: Node._do_close_link,
    core.ReadLog: Node._do_read_log,
    core.ReadSnapshot: Node._do_read_snapshot,
    core.ReadItem: Node._do_read_item,
    core.Answer: Node._do_answer,
    core.Told: Node._do_told,
    core.RoleChanged: Node._do_role_changed,
    core.Drain: Node._do_drain,
    core.AskWitness: Node._do_ask_witness,
    core.Note: Node._do_note,
    core.BeginEmpty: Node._do_begin_empty,
    core.Stop: Node._do_stop,
}


_LEVELS: dict[str, Level] = {
    "replica.damaged": "error",
    "replica.lost": "error",
    "replica.refused": "error",
    "replica.refused_by_peer": "error",
    "replica.healed": "warning",
    "replica.held_back": "warning",
    "replica.held_too_long": "error",
    "replica.peer_store_changed": "warning",
    "replica.not_understood": "error",
}

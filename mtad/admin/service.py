"""The admin service of one node (proto/mtad/admin/v1): what mtactl asks."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from mtad.admin.fault import answering, streaming
from mtad.admission.in_effect import PolicyState
from mtad.mail.dsn_request import NO_REQUEST, notify_text
from mtad.mail.outcome import Result
from mtad.mail.queue_id import arrival_milliseconds, is_queue_id
from mtad.pb import admin_pb2, admin_pb2_grpc
from mtad.spool.codec import StoredMessage, utf8
from mtad.spool.door import FAR_MS, TERMINAL_RANK, Rank, RecipientState
from mtad.spool.local import ACTS, FarStatus, LocalSpool, NodeStatus
from mtad.spool.remote import WorkerCounts
from mtad.spool.selection import Selection, state_of
from mtad.telemetry.events import Events

OLDER_THAN_SECONDS_MAX = 1e10
_STATE_NAMES = {
    Rank.QUEUED: "queued",
    Rank.DEFERRED: "deferred",
    Rank.CANCELLED: "cancelled",
    Rank.FAILED: "failed",
    Rank.DELIVERED: "delivered",
}
_QUEUE_NAMES = {"held": "hold", "unknown": "deferred", "deferred": "deferred", "active": "active"}
_SORTS: dict[str, Callable[[StoredMessage], Any]] = {
    "arrival": lambda message: message.arrival_ms,
    "next-attempt": lambda message: _next_attempt_ms(message) or FAR_MS,
    "size": lambda message: -message.size_octets,
    "sender": lambda message: message.reverse_path,
}


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the rest of the process knows and does: functions, because they are asked when somebody looks."""

    version: str
    counts: Callable[[], WorkerCounts]
    wall_ms: Callable[[], int]
    policy: Callable[[], PolicyState]
    reload: Callable[[], Awaitable[PolicyState]]  # has all processes of the node load the policy anew


class AdminService(admin_pb2_grpc.AdminServicer):
    """Answers one operator's calls; each is bounded by the queue's size and yields to mail between pages."""

    def __init__(self, spool: LocalSpool, vitals: Vitals, events: Events) -> None:
        self._spool = spool
        self._vitals = vitals
        self._events = events
        self._started = time.monotonic()

    def register(self, server: grpc.aio.Server) -> None:
        """Serve on this server, every call with its boundary."""
        guarded = admin_pb2_grpc.AdminServicer()
        for name in ("Status", "QueueShow", "QueueAct", "Replica", "Verify", "Resync", "Backup", "Compact", "Reload"):
            setattr(guarded, name, answering(self._events, getattr(self, name)))
        guarded.QueueList = streaming(self._events, self.QueueList)  # type: ignore[method-assign]
        admin_pb2_grpc.add_AdminServicer_to_server(guarded, server)

    async def Status(self, request: admin_pb2.StatusRequest, context: Any) -> admin_pb2.StatusReply:  # noqa: N802
        """Say how this node is."""
        return self.status()

    def status(self) -> admin_pb2.StatusReply:
        """Return how this node is."""
        status, counts = self._spool.status(), self._vitals.counts()
        totals = status.totals
        oldest = totals.oldest_key.decode("ascii", "replace")
        oldest_ms = arrival_milliseconds(oldest) if is_queue_id(oldest) else self._vitals.wall_ms()
        reply = admin_pb2.StatusReply(
            node=status.name,
            role=_role(status),
            epoch=status.epoch,
            position=sum(seq for branch, seq in status.position.items() if branch.node == status.node),
            queue=admin_pb2.Queue(
                messages=totals.items,
                recipients=totals.parts,
                octets=totals.octets,
                oldest_seconds=max(0, self._vitals.wall_ms() - oldest_ms) / 1000,
            ),
            sessions=counts.sessions,
            version=self._vitals.version,
            unprotected_messages=status.unprotected,
            damaged_messages=totals.damaged,
            is_unfit=status.is_unfit,
            is_full=self._spool.is_full(),
            uptime_seconds=time.monotonic() - self._started,
            delivered_through=counts.delivered_through,
            retries_answered=counts.retries_answered,
            retries_in_doubt=counts.retries_in_doubt,
            workers=counts.workers,
        )
        reply.policy.CopyFrom(_policy(self._vitals.policy()))
        if status.peer.name:
            reply.peer.CopyFrom(_peer(status))
        if (witness := status.witness) is not None:
            told = admin_pb2.Witness(
                name=witness.name, state=witness.state, seconds=witness.heard_seconds, problem=witness.problem
            )
            reply.witness.CopyFrom(told)
            reply.lease_seconds = witness.lease_seconds
        reply.sites.extend(map(_far, status.sites))
        reply.members.extend(map(_far, status.follows))
        return reply

    async def QueueList(  # noqa: N802
        self, request: admin_pb2.QueueListRequest, context: Any
    ) -> AsyncIterator[admin_pb2.QueueEntry]:
        """List the selected messages; without a sort other than arrival they stream as they are read."""
        sort = request.sort or "arrival"
        if sort not in _SORTS:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"sort is one of {', '.join(_SORTS)}")
        if wrong := _problem(request.selection):
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, wrong)
        selection = read_selection(request.selection)
        found = self._selected(selection if not selection.is_empty else Selection(is_all=True))
        if sort == "arrival":
            sent = 0
            async for message in found:
                if request.limit and sent >= request.limit:
                    return
                sent += 1
                yield entry_of(message, self._vitals.wall_ms())
            return
        chosen = [message async for message in found]
        key = _SORTS[sort]
        ordered = heapq.nsmallest(request.limit, chosen, key=key) if request.limit else sorted(chosen, key=key)
        for message in ordered:
            yield entry_of(message, self._vitals.wall_ms())

    async def _selected(self, selection: Selection) -> AsyncIterator[StoredMessage]:
        wall_ms = self._vitals.wall_ms()
        for page in self._named(selection) if selection.queue_ids else self._spool.pages():
            for message in page:
                if selection.matches(message, wall_ms):
                    yield message
            await asyncio.sleep(0)

    def _named(self, selection: Selection) -> Iterator[list[StoredMessage]]:
        """Return the messages that are asked for by their ids, without a walk over the others."""
        for queue_id in sorted(selection.queue_ids):
            message = self._spool.message(queue_id) if is_queue_id(queue_id) else None
            if message is not None:
                yield [message]

    async def QueueShow(self, request: admin_pb2.QueueShowRequest, context: Any) -> admin_pb2.QueueShowReply:  # noqa: N802
        """Show one message: envelope, states, attempts, and its header or content where asked for."""
        message = self._spool.message(request.queue_id) if is_queue_id(request.queue_id) else None
        if message is None:
            return admin_pb2.QueueShowReply(found=False)
        octets = b""
        if request.headers or request.content:
            octets = await self._spool.content(request.queue_id) or b""
            if not request.content:
                head, separator, _ = octets.partition(b"\r\n\r\n")
                octets = head + separator[:2]
        client = message.client
        return admin_pb2.QueueShowReply(
            found=True,
            entry=entry_of(message, self._vitals.wall_ms()),
            history=[_history(message, address, self._vitals.wall_ms()) for address in message.recipients],
            octets=octets,
            client=f"{client.helo} [{client.address}]:{client.port}",
            ret=message.request.ret.value,
            envid=message.request.envid,
        )

    async def QueueAct(self, request: admin_pb2.QueueActRequest, context: Any) -> admin_pb2.QueueActReply:  # noqa: N802
        """Carry out one verb on the selected messages, or say which they are."""
        if request.verb not in ACTS:
            return admin_pb2.QueueActReply(refused=f"verb is one of {', '.join(sorted(ACTS))}")
        if wrong := _problem(request.selection):
            return admin_pb2.QueueActReply(refused=wrong)
        selection = read_selection(request.selection)
        if selection.is_empty and not selection.is_all:
            return admin_pb2.QueueActReply(refused="nothing is selected")
        chosen = [message.queue_id async for message in self._selected(selection)]
        if request.dry_run:
            return admin_pb2.QueueActReply(queue_ids=chosen)
        acted = await self._spool.act(request.verb, chosen)
        refused = f"the queue cannot keep the change: {acted.refused}" if acted.refused is not None else ""
        return admin_pb2.QueueActReply(queue_ids=acted.done, refused=refused)

    async def Replica(self, request: admin_pb2.ReplicaRequest, context: Any) -> admin_pb2.ReplicaReply:  # noqa: N802
        """Carry out a change of role; returns when it is done or refused."""
        if request.verb not in ("promote", "switchover", "demote"):
            return admin_pb2.ReplicaReply(text="verb is one of promote, switchover, demote")
        started = time.monotonic()
        told = await self._spool.command(request.verb, force=request.force)
        self._events.emit("replica.command", verb=request.verb, done=told.is_done, text=told.text, risk=told.risk)
        status = self._spool.status()
        return admin_pb2.ReplicaReply(
            done=told.is_done,
            text=told.text,
            seconds=time.monotonic() - started,
            epoch=status.epoch,
            risk=f"{told.risk}. {_in_queue(status.totals.items)}" if told.risk else "",
        )

    async def Verify(self, request: admin_pb2.VerifyRequest, context: Any) -> admin_pb2.VerifyReply:  # noqa: N802
        """Compare this node's queue with its peer's."""
        started = time.monotonic()
        compared = await self._spool.verify()
        count = len(compared.differences)
        self._events.emit("replica.verified", messages=compared.items, differences=count, refused=compared.why)
        return admin_pb2.VerifyReply(
            refused=compared.why,
            messages=compared.items,
            differences=[_difference(key, what) for key, what in compared.differences],
            is_cut_short=compared.is_cut_short,
            octets=compared.octets,
            seconds=time.monotonic() - started,
        )

    async def Resync(self, request: admin_pb2.ResyncRequest, context: Any) -> admin_pb2.ResyncReply:  # noqa: N802
        """Fill this node's queue again from its peer's."""
        started = time.monotonic()
        came = await self._spool.resync(is_full=request.full, force=request.force)
        self._events.emit(
            "replica.resynced",
            full=request.full,
            fetched=came.fetched_count,
            set_aside=came.set_aside,
            refused=came.refused,
            risk=came.risk,
        )
        return admin_pb2.ResyncReply(
            refused=came.refused,
            risk=came.risk,
            messages=came.compared.items,
            differences=[_difference(key, what) for key, what in came.compared.differences],
            is_cut_short=came.compared.is_cut_short,
            fetched=came.fetched_count,
            set_aside=came.set_aside,
            seconds=time.monotonic() - started,
        )

    async def Backup(self, request: admin_pb2.BackupRequest, context: Any) -> admin_pb2.BackupReply:  # noqa: N802
        """Copy the queue into a folder of this machine; mail flows meanwhile."""
        folder = Path(request.directory)
        if not folder.is_absolute():
            return admin_pb2.BackupReply(refused=f"{request.directory!r} is not an absolute path")
        started = time.monotonic()
        try:
            octets = await self._spool.back_up(folder)
        except OSError as error:
            why = f"{error.filename}: {error.strerror}" if error.strerror and error.filename else str(error)
            self._events.emit("queue.backup_failed", level="error", directory=request.directory, error=why)
            return admin_pb2.BackupReply(refused=why)
        seconds = time.monotonic() - started
        self._events.emit("queue.backup", directory=request.directory, octets=octets, seconds=round(seconds, 3))
        return admin_pb2.BackupReply(octets=octets, seconds=seconds)

    async def Compact(self, request: admin_pb2.CompactRequest, context: Any) -> admin_pb2.CompactReply:  # noqa: N802
        """Make the queue's file as small as what it holds; what must be queued waits meanwhile."""
        started = time.monotonic()
        came = await self._spool.compact()
        seconds = time.monotonic() - started
        if came.refused:
            self._events.emit("queue.compact_failed", level="error", error=came.refused)
        else:
            before, after = came.octets_before, came.octets
            self._events.emit("queue.compacted", octets_before=before, octets=after, seconds=round(seconds, 3))
        return admin_pb2.CompactReply(
            refused=came.refused, octets_before=came.octets_before, octets=came.octets, seconds=seconds
        )

    async def Reload(self, request: admin_pb2.ReloadRequest, context: Any) -> admin_pb2.Policy:  # noqa: N802
        """Load the policy anew; where it is broken, the old one stays in effect."""
        return _policy(await self._vitals.reload())


def _policy(state: PolicyState) -> admin_pb2.Policy:
    return admin_pb2.Policy(
        loaded=state.loaded_ms / 1000,
        broken=state.broken_ms / 1000,
        errors=[
            admin_pb2.PolicyError(file=one.file, line=one.line, column=one.column, text=one.text)
            for one in state.errors
        ],
    )


def _role(status: NodeStatus) -> str:
    """Return the role as users know it: an owner without any other node is alone."""
    if status.role in ("active", "draining"):
        return "active" if status.peer.name or status.sites or status.follows else "alone"
    return status.role


def _difference(key: bytes, what: str) -> admin_pb2.Difference:
    return admin_pb2.Difference(queue_id=key.decode("ascii", "backslashreplace"), what=what)


def _peer(status: NodeStatus) -> admin_pb2.Peer:
    peer = status.peer
    return admin_pb2.Peer(
        node=peer.name,
        state=status.protection,
        position=sum(seq for branch, seq in peer.position.items() if branch.node == status.node),
        lag_records=peer.lag_records,
        lag_octets=peer.lag_octets,
        lag_seconds=peer.lag_seconds,
        durability=status.level if status.protection == "protected" else "local",
        level=status.level,
        role=peer.role,
        problem=peer.problem,
    )


def _far(far: FarStatus) -> admin_pb2.Far:
    return admin_pb2.Far(
        node=far.name,
        role=far.role,
        state=far.state,
        is_fed=far.is_fed,
        lag_records=far.lag_records,
        lag_octets=far.lag_octets,
        lag_seconds=far.lag_seconds,
        problem=far.problem,
    )


def _problem(asked: admin_pb2.Selection) -> str:
    """Return what is wrong with a selection; '' when nothing is. Misread, it could mean every message."""
    if asked.state and asked.state not in _QUEUE_NAMES:
        return f"state is one of {', '.join(_QUEUE_NAMES)}"
    if not 0 <= asked.older_than_seconds <= OLDER_THAN_SECONDS_MAX:
        return "older_than_seconds is not a length of time"
    return ""


def read_selection(asked: admin_pb2.Selection) -> Selection:
    """Return the selection that a request names."""
    return Selection(
        queue_ids=frozenset(asked.queue_ids),
        domain=asked.domain,
        sender=asked.sender,
        recipient=asked.recipient,
        state=asked.state,
        older_than_ms=int(asked.older_than_seconds * 1000),
        queue=asked.queue,
        is_all=asked.all,
    )


def _in_queue(number: int) -> str:
    return "1 message is in the queue here" if number == 1 else f"{number} messages are in the queue here"


def _next_attempt_ms(message: StoredMessage) -> int:
    """Return when the next attempt is due; 0 when none is planned."""
    due = [state.due_ms for state in message.recipients.values() if state.rank < TERMINAL_RANK]
    soonest = min(due, default=FAR_MS)
    return 0 if message.is_held or soonest >= FAR_MS else max(soonest, message.arrival_ms)


def _reason(state: RecipientState, wall_ms: int) -> str:
    if state.rank < TERMINAL_RANK and (claim := state.claim) is not None:
        is_on = wall_ms < claim.until_ms
        return f"node {claim.node} tries" if is_on else f"delivery in doubt: node {claim.node} tried, and has not told"
    if not state.attempts and state.rank is Rank.DEFERRED:
        return "queued for later by policy"
    if not state.attempts or state.rank is Rank.DELIVERED:
        return ""
    outcome = state.attempts[-1].outcome
    said = f"{outcome.next_hop}: {outcome.reply}" if outcome.next_hop else str(outcome.reply)
    return f"delivery in doubt: {said}" if outcome.result is Result.UNKNOWN else said


def _why_not(message: StoredMessage, state: RecipientState, wall_ms: int) -> str:
    """Say why a recipient is still there: who holds the message, and what came of the last attempt."""
    held = f"held {message.hold_reason}" if message.is_held else ""
    return "; ".join(filter(None, (held, _reason(state, wall_ms))))


def entry_of(message: StoredMessage, wall_ms: int) -> admin_pb2.QueueEntry:
    """Return a message as `mtactl queue list` shows it, with the recipients that are not finished."""
    pending = {a: s for a, s in message.recipients.items() if s.rank < TERMINAL_RANK}
    return admin_pb2.QueueEntry(
        queue_name=_QUEUE_NAMES[state_of(message, wall_ms)],
        queue_id=message.queue_id,
        arrival_time=message.arrival_ms // 1000,
        message_size=message.size_octets,
        sender=message.reverse_path or "MAILER-DAEMON",
        recipients=[
            admin_pb2.QueueRecipient(
                address=utf8(address), delay_reason=_why_not(message, state, wall_ms), state=_STATE_NAMES[state.rank]
            )
            for address, state in pending.items()
        ],
        next_attempt=_next_attempt_ms(message) / 1000,
        attempts=max((state.attempts_count for state in message.recipients.values()), default=0),
        position=message.position,
        priority=message.priority,
        queue=message.queue_name,
    )


def _history(message: StoredMessage, address: str, wall_ms: int) -> admin_pb2.RecipientHistory:
    state, request = message.recipients[address], message.requests.get(address, NO_REQUEST)
    deliver_by = request.time_in(message.request)
    attempts = [
        admin_pb2.AttemptLine(
            at=attempt.at_ms / 1000,
            result=attempt.outcome.result.value,
            reply=str(attempt.outcome.reply),
            next_hop=attempt.outcome.next_hop,
            node=attempt.node,
        )
        for attempt in state.attempts
    ]
    if (claim := state.claim) is not None:
        result = "active" if wall_ms < claim.until_ms else "unknown"
        attempts.append(admin_pb2.AttemptLine(at=claim.since_ms / 1000, result=result, node=claim.node))
    return admin_pb2.RecipientHistory(
        address=utf8(address),
        state=_STATE_NAMES[state.rank],
        attempts=attempts,
        notify=notify_text(request.notify),
        original=utf8(request.original),
        delay_told=state.delay_told_ms / 1000,
        route="" if state.route is None else str(state.route),
        deliver_by=0 if deliver_by is None else deliver_by.until_ms / 1000,
        late="" if deliver_by is None else deliver_by.late,
    )

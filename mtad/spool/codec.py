"""Between mail and what the replication engine keeps: messages as items, recipients as parts (proto/mtad/queue/v1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypedDict

from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import NO_MESSAGE_REQUEST, MessageRequest, Notify, RecipientRequest, Requests, Return
from mtad.mail.envelope import Client
from mtad.mail.notes import NOTHING_NOTED, Noted, Notes
from mtad.mail.outcome import Outcome, Result
from mtad.mail.queue_id import QueueId
from mtad.mail.reply import Reply
from mtad.pb import queue_pb2
from mtad.spool.door import (
    ATTEMPTS_KEPT,
    DUE_AT_ONCE,
    FAR_MS,
    META_FORMAT,
    TERMINAL_RANK,
    Attempt,
    Claim,
    QueuedMessage,
    Rank,
    RecipientState,
)
from mtad.spool.route_codec import read_route, route_message
from replicator.core.values import NO_FLAGS, Dot, Flags, Item, Kind, PartValue, Record

BESIDE_MAIL = b"{"
"""What the keys of all that is no mail begin with, or with what comes after it: behind every queue id."""

CLOCKS_APART_MS = 10_000  # by which two clocks may differ without harm
_RESULTS = {result.value: result for result in Result}
_RETURNS = {ret.value: ret for ret in Return}
_LATE = {late.value: late for late in Late}
_NOTIFY_BITS = Notify.NEVER | Notify.SUCCESS | Notify.FAILURE | Notify.DELAY


class QueueFormatError(Exception):
    """What is stored was written by a newer format than this program knows."""


class Written(TypedDict):
    """What is written of a message, and read alike from the queue and from a worker."""

    queue_id: QueueId
    reverse_path: str
    arrival_ms: int
    client: Client
    is_8bit: bool
    is_utf8: bool
    is_binary: bool
    is_sender_verified: bool
    is_submission: bool
    dsn_of: QueueId
    request: MessageRequest
    requests: Requests
    noted: Noted
    queue_name: str
    priority: int
    is_verp: bool


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message as the queue holds it, without its content.

    item   what it was read from: equal items are equal messages
    """

    item: Item
    queue_id: QueueId
    reverse_path: str
    arrival_ms: int
    client: Client
    recipients: Mapping[str, RecipientState]
    is_held: bool
    hold_reason: str
    is_8bit: bool
    is_utf8: bool
    is_binary: bool
    is_sender_verified: bool
    is_submission: bool
    dsn_of: QueueId
    request: MessageRequest = NO_MESSAGE_REQUEST
    requests: Requests = field(default_factory=dict)
    noted: Noted = NOTHING_NOTED
    queue_name: str = ""
    priority: int = 0
    is_verp: bool = False

    @property
    def size_octets(self) -> int:
        return self.item.size

    @property
    def position(self) -> str:
        """The record that brought it: node.incarnation.seq."""
        return position_text(self.item.put)


def key_of(queue_id: QueueId) -> bytes:
    """Return the item's key."""
    return queue_id.encode("ascii")


def utf8(text: str) -> str:
    """Return text that protobuf can carry: octets that are no UTF-8 are shown by backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def part_of(address: str) -> bytes:
    """Return the part of a recipient. The way there and back changes no octet: an outcome finds its recipient again."""
    return address.encode("utf-8", "surrogateescape")


def address_of(part: bytes) -> str:
    """Return the recipient of a part."""
    return part.decode("utf-8", "surrogateescape")


def state_message(state: RecipientState) -> queue_pb2.RecipientState:
    """Return the stored form of a recipient's attempts."""
    kept = state.attempts[-ATTEMPTS_KEPT:]
    return queue_pb2.RecipientState(
        attempts=[
            queue_pb2.Attempt(
                at_ms=attempt.at_ms,
                result=attempt.outcome.result.value,
                code=attempt.outcome.reply.code,
                enhanced=attempt.outcome.reply.enhanced,
                text=utf8(" ".join(attempt.outcome.reply.lines)),
                next_hop=utf8(attempt.outcome.next_hop),
                node=attempt.node,
            )
            for attempt in kept
        ],
        attempts_dropped=max(0, state.attempts_count - len(kept)),
        attempts_uncounted=state.uncounted_count,
        claim=None if state.claim is None else _claim_message(state.claim),
        delay_told_ms=state.delay_told_ms,
        route=None if state.route is None else route_message(state.route),
    )


def _claim_message(claim: Claim) -> queue_pb2.Claim:
    return queue_pb2.Claim(node=claim.node, since_ms=claim.since_ms, until_ms=claim.until_ms)


def _read_claim(stored: queue_pb2.RecipientState) -> Claim | None:
    if not stored.HasField("claim"):
        return None
    return Claim(stored.claim.node, stored.claim.since_ms, stored.claim.until_ms)


def read_state(rank: int, due_ms: int, stored: queue_pb2.RecipientState) -> RecipientState:
    """Return a recipient's state from its stored form.

    A newer program may know more: an unknown rank counts by its number, an unknown result as one in doubt.
    """
    attempts = tuple(
        Attempt(
            at_ms=attempt.at_ms,
            outcome=Outcome(
                _RESULTS.get(attempt.result, Result.UNKNOWN),
                Reply.of(attempt.code, attempt.enhanced, attempt.text),
                attempt.next_hop,
            ),
            node=attempt.node,
        )
        for attempt in stored.attempts
    )
    known = Rank(min(max(rank, Rank.QUEUED), Rank.DELIVERED))
    count = len(attempts) + stored.attempts_dropped
    return RecipientState(
        known,
        due_ms,
        attempts,
        count,
        _read_claim(stored),
        stored.delay_told_ms,
        read_route(stored),
        min(stored.attempts_uncounted, count),
    )


def part_value(state: RecipientState, hlc: int) -> PartValue:
    """Return the lattice value of a recipient's state."""
    return PartValue(int(state.rank), state.attempts_count, hlc, state.due_ms, state_message(state).SerializeToString())


def meta_message(message: QueuedMessage) -> queue_pb2.Meta:
    """Return the immutable part in its stored form."""
    client = message.client
    return queue_pb2.Meta(
        format=META_FORMAT,
        queue_id=message.queue_id,
        reverse_path=utf8(message.reverse_path),
        arrival_ms=message.arrival_ms,
        size_octets=len(message.content),
        client=queue_pb2.Client(
            address=client.address,
            port=client.port,
            helo=utf8(client.helo),
            is_esmtp=client.is_esmtp,
            is_tls=client.is_tls,
            identity=utf8(client.identity),
        ),
        is_8bit=message.is_8bit,
        is_utf8=message.is_utf8,
        is_binary=message.is_binary,
        is_sender_verified=message.is_sender_verified,
        is_submission=message.is_submission,
        priority=message.priority,
        queue_name=message.queue_name,
        is_verp=message.is_verp,
        dsn_of=message.dsn_of,
        ret=message.request.ret.value,
        envid=message.request.envid,
        by=_by_message(message.request.by),
        requests=[
            queue_pb2.Request(
                recipient=utf8(address),
                notify=int(request.notify),
                original=utf8(request.original),
                by=_by_message(request.by),
            )
            for address, request in message.requests.items()
        ],
        notes=_notes_message(message.noted.message),
        recipient_notes=[
            queue_pb2.RecipientNotes(recipient=utf8(address), notes=_notes_message(notes))
            for address, notes in message.noted.recipients.items()
            if address in message.recipients
        ],
    )


def put_record(message: QueuedMessage, hlc: int) -> Record:
    """Return the record that brings a message into the queue."""
    parts = tuple((part_of(address), part_value(state, hlc)) for address, state in message.recipients.items())
    if message.held:
        parts = tuple((part, v._replace(due=FAR_MS) if v.rank < TERMINAL_RANK else v) for part, v in parts)
    meta = meta_message(message).SerializeToString()
    flags = _flags(hlc, is_held=True, reason=message.held) if message.held else NO_FLAGS
    return Record(Kind.PUT, key_of(message.queue_id), parts=parts, flags=flags, meta=meta, blob=message.content)


def _flags(hlc: int, *, is_held: bool, reason: str) -> Flags:
    return Flags(hlc, queue_pb2.Flags(is_held=is_held, reason=utf8(reason)).SerializeToString())


def state_record(item: Item, states: Mapping[str, RecipientState], hlc: int) -> Record:
    """Return the record that raises some recipients of an item."""
    parts = tuple(
        (part, part_value(state, _after(item, part, hlc)))
        for part, state in ((part_of(address), state) for address, state in states.items())
    )
    return Record(Kind.PART, item.key, put=item.put, parts=parts)


def due_record(
    item: Item, due_ms: Callable[[PartValue], int | None], hlc: int, *, is_routed_anew: bool = False
) -> Record:
    """Return the record that gives the unfinished recipients of an item another due time; None leaves it.

    is_routed_anew   the way that policy has chosen for one of them is forgotten
    """
    parts = tuple(
        (part, (_without_route(value) if is_routed_anew else value)._replace(hlc=_after(item, part, hlc), due=due))
        for part, value in item.parts.items()
        if value.rank < TERMINAL_RANK and (due := due_ms(value)) is not None
    )
    return Record(Kind.PART, item.key, put=item.put, parts=parts)


def _without_route(value: PartValue) -> PartValue:
    stored = queue_pb2.RecipientState.FromString(value.data)
    if not stored.HasField("route"):
        return value
    stored.ClearField("route")
    return value._replace(data=stored.SerializeToString())


def claim_record(item: Item, addresses: Iterable[str], claim: Claim, hlc: int) -> Record:
    """Return the record that notes an attempt which comes to its final dot; due again when the claim ends.

    Rank and attempts stay what they are: whatever is recorded of that attempt, or any other, joins above it.
    """
    stored = _claim_message(claim)
    parts = tuple(
        (part, _with_claim(value, stored, claim.until_ms, _after(item, part, hlc)))
        for part in map(part_of, addresses)
        if (value := item.parts.get(part)) is not None and value.rank < TERMINAL_RANK
    )
    return Record(Kind.PART, item.key, put=item.put, parts=parts)


def give_back_record(item: Item, addresses: Iterable[str], node: int) -> Record:
    """Return the record that ends the node's claims on some recipients: nothing was delivered, they are due at once.

    It is dated by the claim, not by the clock: it must not hide what another node has claimed since.
    """
    parts = tuple(
        (part, _with_claim(value, None, FAR_MS if value.due == FAR_MS else DUE_AT_ONCE, value.hlc + 1))
        for part in map(part_of, addresses)
        if (value := item.parts.get(part)) is not None and value.rank < TERMINAL_RANK and _is_claimed_by(value, node)
    )
    return Record(Kind.PART, item.key, put=item.put, parts=parts)


def redated_record(item: Item, wall_ms: int, hlc: int) -> Record:
    """Return the record that dates by our clock what a clock ahead of it has put off; without parts where none was.

    Whoever put a recipient off dated that moment too, and the wait between both holds by any clock. It begins anew now.
    """
    parts = tuple(
        (part, redated)
        for part, value in item.parts.items()
        if (redated := _redated(value, wall_ms, max(hlc, value.hlc + 1))) is not None
    )
    return Record(Kind.PART, item.key, put=item.put, parts=parts)


def _redated(value: PartValue, wall_ms: int, hlc: int) -> PartValue | None:
    ahead_ms = wall_ms + CLOCKS_APART_MS
    if value.rank >= TERMINAL_RANK or value.due == FAR_MS or min(value.due, value.hlc) <= ahead_ms:
        return None  # no hlc is behind the clock that it was taken from
    stored = queue_pb2.RecipientState.FromString(value.data)
    last = stored.attempts[-1].at_ms if stored.attempts else value.hlc
    since_ms = stored.claim.since_ms if stored.HasField("claim") else last
    if since_ms <= ahead_ms:
        return None
    due_ms = wall_ms + max(0, value.due - since_ms)
    if stored.HasField("claim"):
        stored.claim.since_ms, stored.claim.until_ms = wall_ms, due_ms
    elif stored.attempts:
        stored.attempts[-1].at_ms = wall_ms
    return value._replace(hlc=hlc, due=due_ms, data=stored.SerializeToString())


def claim_of(value: PartValue) -> Claim | None:
    """Return the claim on a part, if there is one."""
    return _read_claim(queue_pb2.RecipientState.FromString(value.data))


def _is_claimed_by(value: PartValue, node: int) -> bool:
    claim = claim_of(value)
    return claim is not None and claim.node == node


def _with_claim(value: PartValue, claim: queue_pb2.Claim | None, due_ms: int, hlc: int) -> PartValue:
    stored = queue_pb2.RecipientState.FromString(value.data)
    stored.ClearField("claim")
    if claim is not None:
        stored.claim.CopyFrom(claim)
    return value._replace(hlc=hlc, due=due_ms, data=stored.SerializeToString())


def cancel_record(item: Item, hlc: int) -> Record:
    """Return the record that gives up the unfinished recipients of an item."""
    parts = tuple(
        (part, value._replace(rank=int(Rank.CANCELLED), hlc=hlc, due=0))
        for part, value in item.parts.items()
        if value.rank < TERMINAL_RANK
    )
    return Record(Kind.PART, item.key, put=item.put, parts=parts)


def _after(item: Item, part: bytes, hlc: int) -> int:
    """Return an hlc above the part's: what is written last must win over a peer whose clock is ahead."""
    value = item.parts.get(part)
    return hlc if value is None else max(hlc, value.hlc + 1)


def done_record(item: Item) -> Record:
    """Return the record that removes a finished item."""
    return Record(Kind.DONE, item.key, put=item.put)


def is_finished_by(item: Item, states: Mapping[str, RecipientState]) -> bool:
    """Tell whether these states leave nothing to do for the item."""
    raised = {part_of(address) for address, state in states.items() if state.rank >= TERMINAL_RANK}
    return all(value.rank >= TERMINAL_RANK or part in raised for part, value in item.parts.items())


def told_records(item: Item, states: Mapping[str, RecipientState], hlc: int) -> tuple[Record, ...]:
    """Return the records that tell these states of an item; the last removes it when nothing is left to do."""
    told = state_record(item, states, hlc)
    return (told, done_record(item)) if is_finished_by(item, states) else (told,)


def flags_record(item: Item, *, is_held: bool, reason: str, hlc: int) -> Record:
    """Return the record that writes the operator's register."""
    flags = _flags(max(hlc, item.flags.hlc + 1), is_held=is_held, reason=reason)
    return Record(Kind.FLAGS, item.key, put=item.put, flags=flags)


def is_held(item: Item) -> bool:
    """Tell whether an operator holds the message."""
    return queue_pb2.Flags.FromString(item.flags.data).is_held


def position_text(dot: Dot) -> str:
    """Return a dot as users see it: node.incarnation.seq."""
    return f"{dot.branch.node}.{dot.branch.incarnation:016x}.{dot.seq}"


def read_message(item: Item) -> StoredMessage:
    """Return a stored message. Errors: QueueFormatError when a newer program wrote it."""
    meta = queue_pb2.Meta.FromString(item.meta)
    if meta.format > META_FORMAT:
        raise QueueFormatError(f"message {item.key!r} has format {meta.format}; this program knows up to {META_FORMAT}")
    flags = queue_pb2.Flags.FromString(item.flags.data)
    return StoredMessage(
        item=item,
        recipients={address_of(part): _read_part(value) for part, value in item.parts.items()},
        is_held=flags.is_held,
        hold_reason=flags.reason,
        **read_meta(meta),
    )


def read_meta(meta: queue_pb2.Meta) -> Written:
    """Return what is written of a message beside its recipients and its flags."""
    return {
        "queue_id": meta.queue_id,
        "reverse_path": meta.reverse_path,
        "arrival_ms": meta.arrival_ms,
        "client": _read_client(meta.client),
        "is_8bit": meta.is_8bit,
        "is_utf8": meta.is_utf8,
        "is_binary": meta.is_binary,
        "is_sender_verified": meta.is_sender_verified,
        "is_submission": meta.is_submission,
        "dsn_of": meta.dsn_of,
        "request": _read_request(meta),
        "requests": _read_requests(meta),
        "noted": _read_noted(meta),
        "queue_name": meta.queue_name,
        "priority": meta.priority,
        "is_verp": meta.is_verp,
    }


class Sender(NamedTuple):
    """Whose a message is, and what it gives way to."""

    reverse_path: str
    priority: int


def sender_of(item: Item) -> Sender:
    """Return whose a stored message is."""
    meta = queue_pb2.Meta.FromString(item.meta)
    return Sender(meta.reverse_path, meta.priority)


def _read_request(meta: queue_pb2.Meta) -> MessageRequest:
    """Return what MAIL asked; a word that a newer program stored asks nothing."""
    return MessageRequest(_RETURNS.get(meta.ret, Return.UNSAID), meta.envid, _read_by(meta))


def _by_message(by: DeliverBy | None) -> queue_pb2.DeliverBy | None:
    return None if by is None else queue_pb2.DeliverBy(until_ms=by.until_ms, late=by.late, is_traced=by.is_traced)


def _read_by(stored: queue_pb2.Meta | queue_pb2.Request) -> DeliverBy | None:
    """Return by when it is to be delivered; what a newer program does with late mail is not known here."""
    late = _LATE.get(stored.by.late) if stored.HasField("by") else None
    return None if late is None else DeliverBy(stored.by.until_ms, late, stored.by.is_traced)


def _notes_message(notes: Notes) -> list[queue_pb2.Note]:
    return [
        queue_pb2.Note(name=name, value=value.encode("utf-8", "surrogateescape"))
        for name, value in notes.variables.items()
    ]


def _read_noted(meta: queue_pb2.Meta) -> Noted:
    if not meta.notes and not meta.recipient_notes:
        return NOTHING_NOTED
    recipients = {of.recipient: _read_notes(of.notes) for of in meta.recipient_notes}
    return Noted(message=_read_notes(meta.notes), recipients=recipients)


def _read_notes(stored: Iterable[queue_pb2.Note]) -> Notes:
    return Notes({note.name: note.value.decode("utf-8", "surrogateescape") for note in stored})


def _read_requests(meta: queue_pb2.Meta) -> Requests:
    return {
        request.recipient: RecipientRequest(Notify(request.notify & _NOTIFY_BITS), request.original, _read_by(request))
        for request in meta.requests
    }


def _read_client(stored: queue_pb2.Client) -> Client:
    return Client(stored.address, stored.port, stored.helo, stored.is_esmtp, stored.is_tls, stored.identity)


def _read_part(value: PartValue) -> RecipientState:
    return read_state(value.rank, value.due, queue_pb2.RecipientState.FromString(value.data))

"""Messages and states of recipients as a worker sends them to the spool process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtad.pb import queue_pb2
from mtad.spool.codec import (
    meta_message,
    read_client,
    read_noted,
    read_request,
    read_requests,
    read_state,
    state_message,
    utf8,
)
from mtad.spool.door import QueuedMessage, RecipientState


def parts_message(states: Mapping[str, RecipientState]) -> list[queue_pb2.Part]:
    """Return recipients as a worker sends them."""
    return [
        queue_pb2.Part(recipient=utf8(address), rank=int(state.rank), due_ms=state.due_ms, state=state_message(state))
        for address, state in states.items()
    ]


def read_parts(parts: Iterable[queue_pb2.Part]) -> dict[str, RecipientState]:
    """Return recipients from what a worker sent."""
    return {part.recipient: read_state(part.rank, part.due_ms, part.state) for part in parts}


def new_message(message: QueuedMessage) -> queue_pb2.NewMessage:
    """Return a message as a worker sends it."""
    return queue_pb2.NewMessage(
        meta=meta_message(message),
        content=message.content,
        parts=parts_message(message.recipients),
        held=utf8(message.held),
    )


def read_new_message(stored: queue_pb2.NewMessage) -> QueuedMessage:
    """Return a message from what a worker sent."""
    meta = stored.meta
    return QueuedMessage(
        queue_id=meta.queue_id,
        reverse_path=meta.reverse_path,
        arrival_ms=meta.arrival_ms,
        client=read_client(meta.client),
        content=stored.content,
        recipients=read_parts(stored.parts),
        is_8bit=meta.is_8bit,
        is_utf8=meta.is_utf8,
        is_binary=meta.is_binary,
        is_sender_verified=meta.is_sender_verified,
        is_submission=meta.is_submission,
        dsn_of=meta.dsn_of,
        request=read_request(meta),
        requests=read_requests(meta),
        noted=read_noted(meta),
        held=stored.held,
        priority=meta.priority,
        queue_name=meta.queue_name,
        is_verp=meta.is_verp,
    )

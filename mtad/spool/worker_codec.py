"""Messages and states of recipients as a worker sends them to the spool process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtad.pb import queue_pb2
from mtad.spool.codec import meta_message, read_meta, read_state, state_message, utf8
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
    return QueuedMessage(
        content=stored.content, recipients=read_parts(stored.parts), held=stored.held, **read_meta(stored.meta)
    )

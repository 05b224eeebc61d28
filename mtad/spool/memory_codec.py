"""Between a memory and the item that keeps it: without parts, so that it is due to nobody (proto/mtad/queue/v1)."""

from __future__ import annotations

from collections.abc import Mapping

from mtad.mail.memory import Memory
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.pb import queue_pb2
from mtad.spool.codec import utf8
from replicator.core.values import Item, Kind, Record

PREFIX = b"~"
"""What the keys of memories begin with, and no queue id does: they sort behind all mail, by time."""

GOES_ON_SUFFIX = b"+"
FORMAT = (1 << 32) - 1  # of no message, now or later: see `Memory` in the schema
TEXT_MAX = 500  # of a reply, in letters
_GOES_ON = ""  # no result yet
_RESULTS = {result.value: result for result in (Result.DELIVERED, Result.FAILED, Result.DELAYED)}


def key_of(memory: Memory) -> bytes:
    """Return the item's key: a transaction is remembered once while it goes on, and once when it has ended."""
    return PREFIX + memory.queue_id.encode("ascii") + (b"" if memory.is_settled else GOES_ON_SUFFIX)


def memory_message(memory: Memory) -> queue_pb2.Memory:
    """Return the stored form; recipients with one outcome stand together."""
    together: dict[Outcome | None, list[str]] = {}
    for address, outcome in memory.outcomes.items():
        together.setdefault(outcome, []).append(utf8(address))
    return queue_pb2.Memory(
        format=FORMAT,
        queue_id=memory.queue_id,
        fingerprint=memory.fingerprint,
        at_ms=memory.at_ms,
        until_ms=memory.until_ms,
        brought=memory.brought,
        fates=[_fate(outcome, addresses) for outcome, addresses in together.items()],
    )


def _fate(outcome: Outcome | None, addresses: list[str]) -> queue_pb2.Fate:
    if outcome is None:
        return queue_pb2.Fate(recipients=addresses, result=_GOES_ON)
    return queue_pb2.Fate(
        recipients=addresses,
        result=outcome.result.value,
        code=outcome.reply.code,
        enhanced=outcome.reply.enhanced,
        text=utf8(" ".join(outcome.reply.lines))[:TEXT_MAX],
        next_hop=utf8(outcome.next_hop),
    )


def read_memory(stored: queue_pb2.Memory) -> Memory:
    """Return a memory from its stored form. A result that a newer program brought is one that is not known."""
    return Memory(
        stored.queue_id,
        stored.fingerprint,
        stored.at_ms,
        {address: outcome for fate in stored.fates for address, outcome in _outcomes(fate).items()},
        stored.until_ms,
        stored.brought,
    )


def _outcomes(fate: queue_pb2.Fate) -> Mapping[str, Outcome | None]:
    result = _RESULTS.get(fate.result)
    if result is not None:
        reply = Reply.of(fate.code, fate.enhanced, fate.text)
        return dict.fromkeys(fate.recipients, Outcome(result, reply, fate.next_hop))
    return dict.fromkeys(fate.recipients, None) if fate.result == _GOES_ON else {}


def memory_record(memory: Memory) -> Record:
    """Return the record that keeps a memory."""
    return Record(Kind.PUT, key_of(memory), meta=memory_message(memory).SerializeToString())


def memory_of(item: Item) -> Memory:
    """Return what an item keeps. Errors: google.protobuf's DecodeError."""
    return read_memory(queue_pb2.Memory.FromString(item.meta))

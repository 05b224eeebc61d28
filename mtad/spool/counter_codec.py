"""Between counters and what carries them: the items that keep them, and a worker's questions (proto/mtad/queue/v1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtad.limits.questions import Answer, Counted, Question, Rate, Unknown
from mtad.limits.windows import Window
from mtad.pb import queue_pb2
from mtad.spool.memory_codec import FORMAT
from replicator.core.values import Item, Kind, Record

PREFIX = b"|"
"""What the keys of counters begin with: behind them stand the node in two letters, and the time."""


def key_of(node: int, at_ms: int, chance: int) -> bytes:
    """Return the key of an item; in the order of the keys a node's later item stands behind its earlier ones."""
    return b"%s%02x%012x%08x" % (PREFIX, node, at_ms, chance)


def node_of(key: bytes) -> int:
    """Return which node has counted."""
    return int(key[len(PREFIX) : len(PREFIX) + 2], 16)


def counters_record(key: bytes, node: int, until_ms: int, windows: Mapping[bytes, Window]) -> Record:
    """Return the record that keeps counters."""
    stored = queue_pb2.Counters(
        format=FORMAT,
        node=node,
        until_ms=until_ms,
        windows=[_window_message(counter, window) for counter, window in windows.items()],
    )
    return Record(Kind.PUT, key, meta=stored.SerializeToString())


def counters_of(item: Item) -> queue_pb2.Counters:
    """Return what an item keeps. Errors: google.protobuf's DecodeError."""
    return queue_pb2.Counters.FromString(item.meta)


def windows_of(stored: queue_pb2.Counters) -> Iterable[tuple[bytes, Window]]:
    """Give the windows of an item, each with its counter."""
    for one in stored.windows:
        taken = {one.slot - age: count for age, count in enumerate(one.taken) if count}
        yield one.counter, Window(one.seconds, taken)


def _window_message(counter: bytes, window: Window) -> queue_pb2.Window:
    newest, oldest = max(window.taken), min(window.taken)
    taken = [window.taken.get(slot, 0) for slot in range(newest, oldest - 1, -1)]
    return queue_pb2.Window(counter=counter, seconds=window.seconds, slot=newest, taken=taken)


def asked(call: int, question: Question) -> queue_pb2.FromWorker:
    """Return a worker's question."""
    rate = queue_pb2.RateRequest(
        call=call,
        counter=question.counter,
        limit=question.limit,
        seconds=question.seconds,
        cost=question.cost,
        is_peek=question.is_peek,
    )
    return queue_pb2.FromWorker(rate=rate)


def rate_of(request: queue_pb2.RateRequest) -> Rate:
    """Return the question that was asked."""
    return Rate(request.counter, request.limit, request.seconds, request.cost, request.is_peek)


def answer_message(answer: Answer) -> queue_pb2.Answer:
    """Return what a worker is answered."""
    if isinstance(answer, Unknown):
        return queue_pb2.Answer(refusal=answer.why)
    return queue_pb2.Answer(is_over=answer.is_over, count=answer.count)


def read_answer(answer: queue_pb2.Answer) -> Answer:
    """Return what a worker is answered."""
    return Unknown(answer.refusal) if answer.refusal else Counted(answer.is_over, answer.count)

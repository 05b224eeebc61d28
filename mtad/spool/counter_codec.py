"""Between counters and what carries them: the items that keep them, and a worker's questions (proto/mtad/queue/v1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtad.limits.greylist import Known
from mtad.limits.ledger import Entry
from mtad.limits.questions import Answer, Counted, Greylisting, Question, Rate, Stored, Storing, Unknown
from mtad.limits.values import Value
from mtad.limits.windows import Window
from mtad.pb import queue_pb2
from mtad.spool.memory_codec import FORMAT
from replicator.core.values import Item, Kind, Record

PREFIX = b"|"
"""What the keys of counters begin with: behind them stand the node in two letters, and a number."""

_NUMBER_AT = len(PREFIX) + 2


def key_of(node: int, number: int, chance: int) -> bytes:
    """Return the key of an item; a node's items stand in the order of their numbers."""
    return b"%s%02x%012x%08x" % (PREFIX, node, number, chance)


def number_of(key: bytes) -> int:
    """Return the number of an item."""
    return int(key[_NUMBER_AT : _NUMBER_AT + 12], 16)


def node_of(key: bytes) -> int:
    """Return which node has counted."""
    return int(key[len(PREFIX) : _NUMBER_AT], 16)


def counters_record(key: bytes, node: int, until_ms: int, entries: Mapping[bytes, Entry]) -> Record:
    """Return the record that keeps counters."""
    stored = queue_pb2.Counters(format=FORMAT, node=node, until_ms=until_ms)
    for counter, entry in entries.items():
        if isinstance(entry, Window):
            stored.windows.append(_window_message(counter, entry))
        elif isinstance(entry, Known):
            stored.known.add(
                counter=counter, since_ms=entry.since_ms, until_ms=entry.until_ms, is_passed=entry.is_passed
            )
        else:
            stored.values.add(
                counter=counter,
                since_ms=entry.since_ms,
                until_ms=entry.until_ms,
                text=_octets(entry.text),
                counts_ms=entry.counts_ms,
            )
    return Record(Kind.PUT, key, meta=stored.SerializeToString())


def counters_of(item: Item) -> queue_pb2.Counters:
    """Return what an item keeps. Errors: google.protobuf's DecodeError."""
    return queue_pb2.Counters.FromString(item.meta)


def entries_of(stored: queue_pb2.Counters) -> Iterable[tuple[bytes, Entry]]:
    """Give what an item keeps, each with its counter."""
    for one in stored.windows:
        taken = {one.slot - age: count for age, count in enumerate(one.taken) if count}
        yield one.counter, Window(one.seconds, taken)
    for known in stored.known:
        yield known.counter, Known(known.since_ms, known.until_ms, known.is_passed)
    for value in stored.values:
        counts_ms = value.counts_ms if value.HasField("counts_ms") else value.until_ms
        yield value.counter, Value(value.since_ms, value.until_ms, _text(value.text), counts_ms)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")


def _window_message(counter: bytes, window: Window) -> queue_pb2.Window:
    newest, oldest = max(window.taken), min(window.taken)
    taken = [window.taken.get(slot, 0) for slot in range(newest, oldest - 1, -1)]
    return queue_pb2.Window(counter=counter, seconds=window.seconds, slot=newest, taken=taken)


def asked(call: int, question: Question) -> queue_pb2.FromWorker:
    """Return a worker's question."""
    if isinstance(question, Greylisting):
        greylist = queue_pb2.GreylistRequest(
            call=call,
            counter=question.counter,
            delay_seconds=question.delay_seconds,
            window_seconds=question.window_seconds,
            lifetime_seconds=question.lifetime_seconds,
        )
        return queue_pb2.FromWorker(greylist=greylist)
    rate = queue_pb2.RateRequest(
        call=call,
        counter=question.counter,
        limit=question.limit,
        seconds=question.seconds,
        cost=question.cost,
        is_peek=question.is_peek,
    )
    return queue_pb2.FromWorker(rate=rate)


def asked_to_store(call: int, storing: Storing) -> queue_pb2.FromWorker:
    """Return a worker's question for a value, or what it wants held."""
    request = queue_pb2.StoreRequest(call=call, counter=storing.counter)
    if storing.value is not None:
        request.is_set, request.value, request.seconds = True, _octets(storing.value), storing.seconds
    return queue_pb2.FromWorker(store=request)


def storing_of(request: queue_pb2.StoreRequest) -> Storing:
    """Return the question that was asked."""
    return Storing(request.counter, _text(request.value) if request.is_set else None, request.seconds)


def stored_message(answer: Stored | Unknown) -> queue_pb2.Answer:
    """Return what a worker is answered."""
    if isinstance(answer, Unknown):
        return queue_pb2.Answer(refusal=answer.why)
    return queue_pb2.Answer(has_value=answer.value is not None, value=_octets(answer.value or ""))


def read_stored(answer: queue_pb2.Answer) -> Stored | Unknown:
    """Return what a worker is answered."""
    return Unknown(answer.refusal) if answer.refusal else Stored(_text(answer.value) if answer.has_value else None)


def asked_for_place(call: int, counter: bytes, limit: int) -> queue_pb2.FromWorker:
    """Return a worker's question for a place."""
    return queue_pb2.FromWorker(place=queue_pb2.PlaceRequest(call=call, counter=counter, limit=limit))


def held_place(number: int, counter: bytes) -> queue_pb2.FromWorker:
    """Return what a worker tells of a place that it has."""
    return queue_pb2.FromWorker(held=queue_pb2.Place(number=number, counter=counter))


def rate_of(request: queue_pb2.RateRequest) -> Rate:
    """Return the question that was asked."""
    return Rate(request.counter, request.limit, request.seconds, request.cost, request.is_peek)


def greylisting_of(request: queue_pb2.GreylistRequest) -> Greylisting:
    """Return the question that was asked."""
    return Greylisting(request.counter, request.delay_seconds, request.window_seconds, request.lifetime_seconds)


def answer_message(answer: Answer) -> queue_pb2.Answer:
    """Return what a worker is answered."""
    if isinstance(answer, Unknown):
        return queue_pb2.Answer(refusal=answer.why)
    return queue_pb2.Answer(is_over=answer.is_over, count=answer.count)


def read_answer(answer: queue_pb2.Answer) -> Answer:
    """Return what a worker is answered."""
    return Unknown(answer.refusal) if answer.refusal else Counted(answer.is_over, answer.count)

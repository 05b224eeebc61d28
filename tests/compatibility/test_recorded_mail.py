"""What an earlier version queued is read as what it was, and queued today as it was then."""

from __future__ import annotations

from mtad.mail.dsn_request import NO_MESSAGE_REQUEST
from mtad.pb import queue_pb2
from mtad.spool import codec
from replicator.codec import record_from, record_to
from replicator.core.values import Branch, Dot, Flags, Item, Record
from replicator.pb import replicator_pb2
from tests.compatibility.schema import Schema
from tests.compatibility.v1 import golden
from tests.compatibility.v1.mail import HLC, MESSAGE

QUEUED = golden.octets("mail")
PUT = Dot(Branch(0, 5), 1)


def recorded(name: str) -> Record:
    return record_from(replicator_pb2.Record.FromString(QUEUED[name]))


def octets(record: Record) -> bytes:
    message = replicator_pb2.Record()
    record_to(message, record)
    return message.SerializeToString()


def item_of(put: Record, flags: Flags) -> Item:
    return Item(put.key, PUT, dict(put.parts), flags, put.meta, len(put.blob))


def test_no_recorded_field_has_changed_its_number_its_type_or_its_name() -> None:
    today = queue_pb2.DESCRIPTOR.message_types_by_name
    messages = Schema(golden.HERE / "proto", "mtad/queue/v1/queue.proto").messages()
    assert {"Meta", "RecipientState", "Flags"} <= messages.keys()
    for name, message in messages.items():
        for number, was in message.fields_by_number.items():
            now = today[name].fields_by_number[number]
            assert (name, now.name, now.type, now.is_repeated) == (name, was.name, was.type, was.is_repeated)


def test_a_recorded_message_is_read() -> None:
    put, hold = recorded("put"), recorded("hold")
    message = codec.read_message(item_of(put, hold.flags))
    assert put.blob == MESSAGE.content
    assert message.recipients == MESSAGE.recipients
    assert (message.is_held, message.hold_reason) == (True, "looked at")
    for name in ("queue_id", "reverse_path", "arrival_ms", "client", "is_8bit", "is_utf8", "is_sender_verified"):
        assert getattr(message, name) == getattr(MESSAGE, name)
    assert (message.is_submission, message.dsn_of) == (MESSAGE.is_submission, MESSAGE.dsn_of)
    assert (message.request, message.requests) == (NO_MESSAGE_REQUEST, {})  # nothing was kept of them then


def test_a_message_is_queued_as_it_was() -> None:
    put = codec.put_record(MESSAGE, HLC)
    assert octets(put) == QUEUED["put"]
    held = codec.flags_record(item_of(put, put.flags), is_held=True, reason="looked at", hlc=HLC + 1)
    assert octets(held) == QUEUED["hold"]

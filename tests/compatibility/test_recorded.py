"""Today's code reads what earlier versions said and stored, and writes it as they did where they must read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from replicator.core.events import Commit
from replicator.core.messages import Message
from replicator.core.values import Branch, Damage, Dot, Flags, Kind, PartValue, Presence, Record
from replicator.pb import replicator_pb2, store_pb2, witness_pb2
from replicator.store import layout
from replicator.store.environment import StoreSettings
from replicator.store.store import Store
from replicator.transport import wire
from tests.compatibility.schema import Schema
from tests.compatibility.v1 import golden, samples

SCHEMA = Schema(golden.HERE / "proto", *(f"replicator/v1/{name}.proto" for name in ("replicator", "store", "witness")))
SAID = golden.octets("messages")
STORED = golden.octets("values")
OWN, PEER, UNSEEN = Branch(0, 5), Branch(1, 6), Branch(1, 7)
ENDED = PartValue(4, 1, 2, 0, b"250 ok")


def waiting(due: int) -> PartValue:
    return PartValue(0, 0, 1, due, b"")


# --- the schema ---------------------------------------------------------------------------------------------


def test_no_recorded_field_has_changed_its_number_its_type_or_its_name() -> None:
    modules = (replicator_pb2, store_pb2, witness_pb2)
    today = {name: kind for module in modules for name, kind in module.DESCRIPTOR.message_types_by_name.items()}
    for name, message in SCHEMA.messages().items():
        fields = today[name].fields_by_number
        for number, was in message.fields_by_number.items():
            now = fields[number]
            assert (name, now.name, now.type, now.is_repeated) == (name, was.name, was.type, was.is_repeated)


def test_every_kind_of_message_and_record_is_recorded() -> None:
    read = [SCHEMA.Message.FromString(octets) for octets in SAID.values()]
    kinds = {field.name for field in SCHEMA.Message.DESCRIPTOR.oneofs_by_name["what"].fields}
    assert {message.WhichOneof("what") for message in read} == kinds
    (records,) = (message.records for message in read if message.WhichOneof("what") == "records")
    assert {record.kind for record in records.records} == {1, 2, 3, 4, 5, 6}


# --- what was said ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "said"), samples.MESSAGES.items())
def test_a_recorded_message_is_read(name: str, said: Message) -> None:
    assert wire.decode(SAID[name]) == said


@pytest.mark.parametrize(("name", "said"), samples.MESSAGES.items())
def test_a_message_is_written_as_it_was(name: str, said: Message) -> None:
    assert wire.encode(samples.SESSION, said) == SAID[name]


# --- what was stored ----------------------------------------------------------------------------------------

VALUES: dict[str, bytes] = {
    "item": layout.item_value(samples.ITEM, samples.ITEM_HASH),
    "orphan": layout.orphan_value(samples.ORPHAN),
    "gone": layout.orphan_value(samples.GONE),
    "away": layout.away_value(samples.AWAY),
    "lost": layout.away_value(samples.LOST),
    "authority": layout.authority_value(samples.AUTHORITY),
    "vector": layout.vector_value(samples.VECTOR),
    **{f"record-{name}": layout.record_value(record) for name, record in samples.RECORDS.items()},
    "sealed-item": layout.seal(b"K1", layout.item_value(samples.ITEM, samples.ITEM_HASH)),
    "key-due": layout.due_key(1_700_000_060_000, b"K1", b"waits"),
    "key-dot": layout.dot_key(samples.PUT),
    "key-branch": layout.branch_key(samples.A),
    "key-piece": layout.piece_key(b"K1", 3),
    "blob-hash": layout.blob_hash(b"octets of the item"),
}


@pytest.mark.parametrize("name", STORED)
def test_a_value_is_stored_as_it_was(name: str) -> None:
    assert VALUES[name] == STORED[name]


@pytest.mark.parametrize(
    ("name", "read", "meant"),
    [
        ("item", lambda value: layout.item_of(b"K1", value), (samples.ITEM, samples.ITEM_HASH)),
        ("orphan", lambda value: layout.orphan_of(samples.ORPHAN.put, value), samples.ORPHAN),
        ("gone", lambda value: layout.orphan_of(samples.GONE.put, value), samples.GONE),
        ("away", lambda value: layout.away_of(b"K4", value), samples.AWAY),
        ("lost", lambda value: layout.away_of(b"K5", value), samples.LOST),
        ("authority", layout.authority_of, samples.AUTHORITY),
        ("vector", layout.vector_of, samples.VECTOR),
        ("key-dot", layout.dot_of, samples.PUT),
        ("key-branch", layout.branch_of, samples.A),
        ("key-due", layout.due_from, (1_700_000_060_000, b"K1")),
        ("sealed-item", lambda value: layout.unseal(b"K1", value), STORED["item"]),
        *((f"record-{name}", layout.record_of, record._replace(blob=b"")) for name, record in samples.RECORDS.items()),
    ],
)
def test_a_recorded_value_is_read(name: str, read: Callable[[bytes], Any], meant: object) -> None:
    assert read(STORED[name]) == meant


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    golden.unpack_store(tmp_path / "store")
    settings = StoreSettings(tmp_path / "store", golden.STORE_NODE, golden.STORE_TERMINAL_RANK, 4 << 20)
    opened = Store(settings)
    yield opened
    opened.close()


def test_a_recorded_store_opens_with_all_that_was_in_it(store: Store) -> None:
    image = store.image()
    assert image.vector == {OWN: 8, PEER: 2}
    assert (image.authority.epoch, image.authority.node, image.floors) == (4, 1, {OWN: 1})
    assert image.finished == ((b"ended", Dot(OWN, 3)),)
    (away,) = image.away
    assert (away.key, away.put, away.table) == (b"damaged", Dot(OWN, 8), "blob")
    items = {item.key: item for item in store.items(b"", 10)}
    assert items.keys() == {b"waits", b"large", b"ended"}
    assert items[b"waits"].parts == {b"part": waiting(100)}
    assert items[b"waits"].flags == Flags(7, b"held")
    assert items[b"ended"].parts == {b"part": ENDED}
    assert store.blob(b"waits") == b"octets"
    assert store.blob(b"large") == b"0123456789abcdef" * 75_000
    assert [due.key for due in store.due(1_000, 10)] == [b"waits", b"large"]
    assert store.totals().octets == 6 + 1_200_000 + 6
    assert not store.damage


def test_a_recorded_store_ships_its_log_and_its_snapshot(store: Store) -> None:
    records = store.read_log(OWN, 2, 1 << 30).records
    assert records is not None
    assert [record.kind for record in records] == [
        Kind.PUT,
        Kind.PUT,
        Kind.PART,
        Kind.VOID,
        Kind.DONE,
        Kind.FLAGS,
        Kind.VOID,
    ]
    assert store.read_log(OWN, 1, 1 << 30).records is None
    snapshot = store.snapshot({})
    pieces = [snapshot.read(1 << 30), snapshot.read(1 << 30)]
    snapshot.close()
    assert {item.key for item, _ in pieces[0].items} == {b"waits", b"large", b"ended"}
    assert {(orphan.put, orphan.is_gone) for orphan in pieces[0].orphans} == {
        (Dot(UNSEEN, 1), False),
        (Dot(UNSEEN, 2), True),
    }
    assert pieces[0].away == (b"damaged",)


def test_a_recorded_store_goes_on(store: Store) -> None:
    ending = Record(Kind.PART, b"waits", Dot(OWN, 1), ((b"part", ENDED),))
    unseen = Record(Kind.PUT, b"unseen", None, ((b"part", waiting(1)),), blob=b"late")
    done = store.change([Commit(1, ((Dot(PEER, 3), ending), (Dot(UNSEEN, 1), unseen)))])
    assert set(done.finished) == {(b"waits", Dot(OWN, 1)), (b"unseen", Dot(UNSEEN, 1))}
    assert store.whole(b"damaged")[0] is Presence.AWAY
    store.change([Commit(2, mend=(Damage("item", b"waits"),))])
    assert store.blob(b"waits") == b"octets"

"""What items come to is read in the order of their keys, and no transaction lasts for long."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from replicator.core.compare import HERE_DAMAGED
from replicator.core.events import Commit
from replicator.core.values import Damage, Dot, Kind, Record
from replicator.store.environment import Transaction
from replicator.store.states import TRANSACTION_ITEMS_MAX, TRANSACTION_OCTETS_MAX, read_states, states_of
from replicator.store.store import Store
from tests.unit.replicator.store.commits import BRANCH, flip, key, opened, put

ITEMS = 2 * TRANSACTION_ITEMS_MAX + 5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with opened(tmp_path) as empty:
        yield empty


def transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return what grows by one with each transaction that is read in."""
    begun: list[None] = []
    read = store.environment.read

    @contextmanager
    def counted() -> Iterator[Transaction]:
        begun.append(None)
        with read() as transaction:
            yield transaction

    monkeypatch.setattr(store.environment, "read", counted)
    return begun


def keys_of(states: list[tuple[bytes, int]]) -> list[bytes]:
    return [at for at, _ in states]


def test_reads_many_items_in_several_transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.change([put(number) for number in range(1, ITEMS + 1)])
    begun = transactions(store, monkeypatch)
    states, following = read_states(store, b"", b"")
    assert keys_of(states) == [key(number) for number in range(1, ITEMS + 1)]
    assert following == b""
    assert len(begun) == 3
    assert states_of(store, keys_of(states)) == states
    assert len(begun) == 6


def test_reads_few_large_items_in_several_transactions(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    meta = b"m" * (TRANSACTION_OCTETS_MAX // 2 + 1)
    records = [(Dot(BRANCH, seq), Record(Kind.PUT, key(seq), meta=meta, blob=b"blob")) for seq in range(1, 6)]
    store.change([Commit(1, records=tuple(records))])
    begun = transactions(store, monkeypatch)
    states, following = read_states(store, b"", b"")
    assert (keys_of(states), following) == ([key(number) for number in range(1, 6)], b"")
    assert len(begun) == 3


@pytest.mark.parametrize("limit", [1, TRANSACTION_ITEMS_MAX, TRANSACTION_ITEMS_MAX + 1])
def test_goes_on_behind_the_last(store: Store, limit: int) -> None:
    store.change([put(number) for number in range(1, ITEMS + 1)])
    states, following = read_states(store, key(2), b"", limit)
    assert keys_of(states) == [key(number) for number in range(2, 2 + limit)]
    assert following == key(2 + limit)


def test_ends_before_the_end(store: Store) -> None:
    store.change([put(number) for number in range(1, ITEMS + 1)])
    states, following = read_states(store, key(3), key(ITEMS - 1))
    assert keys_of(states) == [key(number) for number in range(3, ITEMS - 1)]
    assert following == b""


def test_counts_what_is_damaged_and_what_is_away_among_the_others(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.change([put(number) for number in range(1, 6)])
    flip(tmp_path / "store", "item", key(1))
    flip(tmp_path / "store", "item", key(3))
    with opened(tmp_path) as store:
        store.change([Commit(9, mend=(Damage("item", key(3)),))])
        states, following = read_states(store, b"", b"", 4)
        assert (keys_of(states), following) == ([key(1), key(2), key(3), key(4)], key(5))
        assert [state == HERE_DAMAGED for _, state in states] == [True, False, True, False]
        assert states_of(store, [key(3), key(4), key(7), b""]) == states[2:]

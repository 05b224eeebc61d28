"""What items come to, for a comparison: the digest of each one's state, read in the order of the keys.

No transaction lasts for long: the store could use no page again that is freed meanwhile, and its map could not grow.
What is read in another one is of another moment, as what the peer reads is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from operator import itemgetter
from typing import Any

from replicator.codec import DamagedError
from replicator.core.compare import HERE_DAMAGED, state_digest
from replicator.store import layout
from replicator.store.environment import Transaction
from replicator.store.store import Store

READ_MAX = 32_768
TRANSACTION_ITEMS_MAX = 1_024
TRANSACTION_OCTETS_MAX = 1 << 20

States = list[tuple[bytes, int]]


def read_states(store: Store, begin: bytes, end: bytes, limit: int = READ_MAX) -> tuple[States, bytes]:
    """Return the states of up to `limit` items from `begin` on, below `end` (b"": none), and the key that follows them
    (b"" when none does). An item that is here, but damaged, has the state HERE_DAMAGED."""
    states: States = []
    left = min(limit, READ_MAX)
    while True:
        some, begin = _read_some(store, begin, end, min(left, TRANSACTION_ITEMS_MAX))
        states += some
        left -= len(some)
        if not (begin and left):
            return states, begin


def _read_some(store: Store, begin: bytes, end: bytes, items_max: int) -> tuple[States, bytes]:
    """Return the first of these states, as many as one transaction reads, and the key that follows them."""
    states: States = []
    octets = 0
    environment = store.environment
    with (
        environment.read() as transaction,
        transaction.cursor(db=environment.tables["item"]) as items,
        transaction.cursor(db=environment.tables["away"]) as away,
    ):
        for key, value in merge(_from(items, begin), _from(away, begin, is_away=True), key=itemgetter(0)):
            if end and key >= end:
                break
            if len(states) == items_max or octets >= TRANSACTION_OCTETS_MAX:
                return states, key
            states.append((key, HERE_DAMAGED if value is None else _state(key, value)))
            octets += len(key) + len(value or b"")
    return states, b""


def _from(cursor: Any, begin: bytes, *, is_away: bool = False) -> Iterator[tuple[bytes, bytes | None]]:
    """Walk a table from a key on, through its keys and values; of what is away there is no value that counts."""
    is_there = cursor.set_range(begin) if begin else cursor.first()
    while is_there:
        yield bytes(cursor.key()), None if is_away else cursor.value()
        is_there = cursor.next()


def states_of(store: Store, keys: Sequence[bytes]) -> States:
    """Return the states of those of these items that are here."""
    states: States = []
    environment = store.environment
    for at in range(0, len(keys), TRANSACTION_ITEMS_MAX):
        with environment.read() as transaction:
            for key in keys[at : at + TRANSACTION_ITEMS_MAX]:
                states += _state_of(transaction, environment.tables, key)
    return states


def _state_of(transaction: Transaction, tables: dict[str, Any], key: bytes) -> States:
    """Return the state of one item; nothing when it is not here."""
    if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
        return []
    value = transaction.get(key, db=tables["item"])
    if value is not None:
        return [(key, _state(key, value))]
    is_away = transaction.get(key, db=tables["away"]) is not None
    return [(key, HERE_DAMAGED)] if is_away else []


def _state(key: bytes, sealed: bytes) -> int:
    try:
        return state_digest(*layout.item_of(key, layout.unseal(key, sealed)))
    except DamagedError:
        return HERE_DAMAGED

"""What items come to, for a comparison: the digest of each one's state, read in the order of the keys."""

from __future__ import annotations

from collections.abc import Iterable

from replicator.codec import DamagedError
from replicator.core.compare import HERE_DAMAGED, state_digest
from replicator.store import layout
from replicator.store.environment import Transaction
from replicator.store.store import Store

READ_MAX = 32_768

States = list[tuple[bytes, int]]


def read_states(store: Store, begin: bytes, end: bytes, limit: int = READ_MAX) -> tuple[States, bytes]:
    """Return the states of up to `limit` items from `begin` on, below `end` (b"": none), and the key that follows them
    (b"" when none does). An item that is here, but damaged, has the state HERE_DAMAGED."""
    states: States = []
    following = b""
    environment = store.environment
    with environment.read() as transaction:
        with transaction.cursor(db=environment.tables["item"]) as cursor:
            is_there = cursor.set_range(begin) if begin else cursor.first()
            while is_there and not (end and cursor.key() >= end):
                key = bytes(cursor.key())
                if len(states) == min(limit, READ_MAX):
                    following = key
                    break
                states.append((key, _state(key, cursor.value())))
                is_there = cursor.next()
        away = _away_between(transaction, environment.tables["away"], begin, following or end)
    return (sorted(states + away) if away else states), following


def states_of(store: Store, keys: Iterable[bytes]) -> States:
    """Return the states of those of these items that are here."""
    states: States = []
    environment = store.environment
    with environment.read() as transaction:
        for key in keys:
            if not 0 < len(key) <= layout.KEY_OCTETS_MAX:
                continue
            value = transaction.get(key, db=environment.tables["item"])
            if value is not None:
                states.append((key, _state(key, value)))
            elif transaction.get(key, db=environment.tables["away"]) is not None:
                states.append((key, HERE_DAMAGED))
    return states


def _state(key: bytes, sealed: bytes) -> int:
    try:
        return state_digest(*layout.item_of(key, layout.unseal(key, sealed)))
    except DamagedError:
        return HERE_DAMAGED


def _away_between(transaction: Transaction, table: object, begin: bytes, end: bytes) -> States:
    found: States = []
    with transaction.cursor(db=table) as cursor:
        is_there = cursor.set_range(begin) if begin else cursor.first()
        while is_there and not (end and cursor.key() >= end):
            found.append((bytes(cursor.key()), HERE_DAMAGED))
            is_there = cursor.next()
    return found

"""The scrub: a walk over everything that has a check, in small steps, so that damage is found before it is needed."""

from __future__ import annotations

from typing import NamedTuple

from replicator.core.values import Damage
from replicator.store import layout
from replicator.store.store import Store

TABLES = ("item", "due", "finished", "orphan", "log")
_ENTRIES_MAX = 4_096  # of one step


class Place(NamedTuple):
    """Where the walk is: everything up to this key of this table was looked at."""

    table: int = 0
    after: bytes = b""


class Step(NamedTuple):
    """What a step did. place: None when it was the last of the walk."""

    place: Place | None
    octets: int
    entries: int


def step(store: Store, place: Place, octets_max: int) -> Step:
    """Look at the next values, up to about so many octets; what is damaged is noted in the store's `damage`."""
    octets = entries = 0
    environment = store.environment
    table = TABLES[place.table]
    after = place.after
    with environment.read() as transaction, transaction.cursor(db=environment.tables[table]) as cursor:
        is_there = cursor.set_range(after) if after else cursor.first()
        if is_there and after and cursor.key() == after:
            is_there = cursor.next()
        while is_there and octets < octets_max and entries < _ENTRIES_MAX:
            after = bytes(cursor.key())
            value = cursor.value()
            entries += 1
            octets += len(after) + len(value)
            if not layout.is_sealed(after, value):
                store.damage.append(Damage(table, layout.due_from(after)[1] if table == "due" else after))
            elif table == "item":
                octets += store.check_blob(transaction, after, value)
            is_there = cursor.next()
    if is_there:
        return Step(Place(place.table, after), octets, entries)
    is_over = place.table + 1 == len(TABLES)
    return Step(None if is_over else Place(place.table + 1), octets, entries)

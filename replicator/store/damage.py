"""Damaged values within a write transaction: out of use, their octets kept aside, what follows from others made anew.

An item whose octets, or whose blob's, are not what was written is *away* until it comes back from the peer: it is
in no index, so nothing trips over it. A damaged record of the log leaves a hole, and a log with a hole does not reach
back: a snapshot takes its place. A damaged orphan is forgotten: at worst something is delivered twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replicator.codec import DamagedError
from replicator.core.merge import are_terminal, state_of
from replicator.core.values import LACKING, VOIDED, Away, Damage, Item
from replicator.store import layout

if TYPE_CHECKING:
    from replicator.store.environment import Environment, Transaction

KEPT_ENTRIES_MAX = 10_000  # of damaged octets; of more the name alone is kept


class DamagedTables:
    """What can be done about damage, over one write transaction."""

    def __init__(self, environment: Environment, transaction: Transaction, terminal_rank: int) -> None:
        self._transaction = transaction
        self._tables = environment.tables
        self._terminal_rank = terminal_rank
        self._has_away = transaction.stat(self._tables["away"])["entries"] > 0
        self.moved: list[Away] = []
        self._forgotten: dict[bytes, None] = {}
        self.octets_moved = 0

    # --- what is away ---------------------------------------------------------------------------------------

    def is_away(self, key: bytes) -> bool:
        """Tell whether the item was found damaged and has not come back."""
        return self._has_away and self._transaction.get(key, db=self._tables["away"]) is not None

    def forget(self, key: bytes) -> None:
        """The item is back, or finished: what was damaged of it is of no more use."""
        if not self.is_away(key):
            return
        self._forgotten[key] = None
        self._transaction.delete(key, db=self._tables["away"])
        self._transaction.delete(b"item" + key, db=self._tables["damaged"])
        for at in self._pieces_of(b"blob" + layout.piece_prefix(key), "damaged"):
            self._transaction.delete(at, db=self._tables["damaged"])

    def back(self) -> tuple[bytes, ...]:
        """Return the keys of what was away and is so no longer."""
        return tuple([key for key in self._forgotten if not self.is_away(key)])

    def move_item(self, key: bytes, table: str) -> None:
        """Take an item out of use, with its blob and its places in the indexes. Its state is kept if it can be read."""
        value = self._transaction.get(key, db=self._tables["item"])
        item = _readable(key, value)
        away = Away(key, None if item is None else item.put, table)
        self._has_away = True
        self._keep(away)
        if item is not None:
            place = layout.dot_key(item.put)
            self._transaction.put(
                place, layout.seal(place, layout.orphan_value(state_of(item))), db=self._tables["orphan"]
            )
        self._move("item", key)
        for at in self._pieces_of(layout.piece_prefix(key), "blob"):
            self.octets_moved += self._move("blob", at)
        self._drop_from_indexes(key, item)

    def _keep(self, away: Away) -> None:
        value = layout.seal(away.key, layout.away_value(away))
        self._transaction.put(away.key, value, db=self._tables["away"])
        self.moved.append(away)

    def _note_voided(self, key: bytes) -> None:
        """Remember that the peer was told of an end that never was."""
        value = self._transaction.get(key, db=self._tables["away"])
        if value is not None:
            away = layout.away_of(key, layout.unseal(key, value))
            if not away.is_voided:
                self._keep(away._replace(is_voided=True))

    def _note_missing(self, key: bytes) -> None:
        """Remember that the peer has an item that should be here, unless it has come meanwhile."""
        if not self.is_away(key) and self._transaction.get(key, db=self._tables["item"]) is None:
            self._has_away = True
            self._keep(Away(key, None, LACKING))

    def _pieces_of(self, prefix: bytes, table: str) -> list[bytes]:
        found: list[bytes] = []
        with self._transaction.cursor(db=self._tables[table]) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix):
                if len(cursor.key()) == len(prefix) + layout.PIECE_NUMBER_OCTETS:
                    found.append(bytes(cursor.key()))
                is_there = cursor.next()
        return found

    def _move(self, table: str, key: bytes) -> int:
        """Take a value out of a table; return how many octets it had."""
        value = self._transaction.pop(key, db=self._tables[table])
        if value is None:
            return 0
        if self._transaction.stat(self._tables["damaged"])["entries"] < KEPT_ENTRIES_MAX:
            self._transaction.put(table.encode() + key, value, db=self._tables["damaged"])
        return len(value)

    def _drop_from_indexes(self, key: bytes, item: Item | None) -> None:
        """Take an item out of the order of time. When it cannot be read, all of that order is walked."""
        if item is not None:
            places = [layout.due_key(value.due, key, part) for part, value in item.parts.items()]
        else:
            places = self._due_of(key)
        for place in places:
            self._transaction.delete(place, db=self._tables["due"])
        self._transaction.delete(key, db=self._tables["finished"])

    def _due_of(self, key: bytes) -> list[bytes]:
        with self._transaction.cursor(db=self._tables["due"]) as cursor:
            return [bytes(at) for at in cursor.iternext(values=False) if layout.due_from(at)[1] == key]

    # --- a closer look --------------------------------------------------------------------------------------

    def mend(self, damage: Damage) -> None:
        """Look again at what a read came upon: it may have been removed or written anew meanwhile."""
        if damage.table in ("item", "blob", "due", "finished"):
            self._mend_item(damage)
        elif damage.table == VOIDED:
            self._note_voided(damage.key)
        elif damage.table == LACKING:
            self._note_missing(damage.key)
        elif damage.table in ("log", "orphan"):
            value = self._transaction.get(damage.key, db=self._tables[damage.table])
            if value is not None and not layout.is_sealed(damage.key, value):
                self._move(damage.table, damage.key)

    def _mend_item(self, damage: Damage) -> None:
        key = damage.key
        value = self._transaction.get(key, db=self._tables["item"])
        item = _readable(key, value)
        if item is None:
            if value is not None:
                self.move_item(key, "item")
            else:  # a place in an index for an item that is not here
                self._drop_from_indexes(key, None)
        elif value is None or not self._is_blob_sound(item, value):
            self.move_item(key, "blob")
        elif damage.table in ("due", "finished"):
            self._drop_from_indexes(key, None)
            self._put_into_indexes(item)

    def _is_blob_sound(self, item: Item, value: bytes) -> bool:
        content_hash = layout.item_of(item.key, layout.unseal(item.key, value))[1]
        pieces = [
            self._transaction.get(layout.piece_key(item.key, piece), b"", db=self._tables["blob"])
            for piece in range(layout.pieces_count(item.size))
        ]
        return layout.blob_hash(b"".join(pieces)) == content_hash

    def _put_into_indexes(self, item: Item) -> None:
        for part, value in item.parts.items():
            if value.rank < self._terminal_rank:
                place = layout.due_key(value.due, item.key, part)
                self._transaction.put(place, layout.seal(place, part), db=self._tables["due"])
        if are_terminal(item.parts, self._terminal_rank):
            self._transaction.put(
                item.key, layout.seal(item.key, layout.dot_key(item.put)), db=self._tables["finished"]
            )


def _readable(key: bytes, value: bytes | None) -> Item | None:
    """Return the item of a value, when it is what was written."""
    if value is None:
        return None
    try:
        return layout.item_of(key, layout.unseal(key, value))[0]
    except DamagedError:
        return None

"""Reads within one transaction: each value is checked, and damage that can be gone around is noted for the core."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

from replicator.codec import DamagedError
from replicator.core.values import Damage, Item
from replicator.store import layout
from replicator.store.environment import Transaction


class Reader:
    """Reads values of a store; `damage` is where it notes what it could not read."""

    def __init__(self, tables: Mapping[str, Any], damage: deque[Damage]) -> None:
        self.tables = tables
        self.damage = damage

    def get(self, transaction: Transaction, table: str, key: bytes) -> bytes | None:
        """Return a value; None when there is none. Errors: DamagedError."""
        found = transaction.get(key, db=self.tables[table])
        return None if found is None else layout.unseal(key, found)

    def or_none(self, transaction: Transaction, table: str, key: bytes) -> bytes | None:
        """Return what can be done without: None when it is damaged."""
        try:
            return self.get(transaction, table, key)
        except DamagedError:
            self.damage.append(Damage(table, key))
            return None

    def item(self, transaction: Transaction, key: bytes) -> tuple[Item, bytes] | None:
        """Return an item and its blob's hash; None when it is not here, or damaged."""
        try:
            value = self.get(transaction, "item", key)
        except DamagedError:
            self.damage.append(Damage("item", key))
            return None
        return None if value is None else layout.item_of(key, value)

    def blob(self, transaction: Transaction, item: Item, content_hash: bytes) -> bytes | None:
        """Return an item's blob; None when it is damaged."""
        try:
            return self._checked_blob(transaction, item, content_hash)
        except DamagedError:
            self.damage.append(Damage("blob", item.key))
            return None

    def _checked_blob(self, transaction: Transaction, item: Item, content_hash: bytes) -> bytes:
        table = self.tables["blob"]
        pieces = [
            transaction.get(layout.piece_key(item.key, piece), b"", db=table)
            for piece in range(layout.pieces_count(item.size))
        ]
        blob = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        if layout.blob_hash(blob) != content_hash:
            raise DamagedError(f"blob of {item.key!r}: its hash does not fit")
        return blob

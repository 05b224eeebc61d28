"""What the merge reads and writes, within one LMDB write transaction; keeps the indexes beside the items."""

from __future__ import annotations

from collections.abc import Iterator, Set

from replicator.codec import DamagedError
from replicator.core.merge import are_terminal
from replicator.core.values import Authority, Branch, Damage, Dot, Item, Orphan, Record, Vector
from replicator.core.vectors import beyond
from replicator.store import layout
from replicator.store.damage import DamagedTables
from replicator.store.environment import Environment, Transaction

_WALK_ITEMS = 256
_WALK_KEYS = 4_096
LOG_CUT_RECORDS_MAX = 512


class LimitError(Exception):
    """A key is longer than the tables can hold."""


class WriteTables:
    """Tables over one write transaction. Positions and counters are written when it is finished."""

    def __init__(self, environment: Environment, transaction: Transaction, terminal_rank: int) -> None:
        self._environment = environment
        self._transaction = transaction
        self._tables = environment.tables
        self._terminal_rank = terminal_rank
        self._positions: Vector = {}
        self._raised: set[Branch] = set()
        self._octets_added = 0
        self._must_count = False
        self._beyond: Vector | None = None
        self._is_beyond_raised = False
        self.damage = DamagedTables(environment, transaction, terminal_rank)

    def _get(self, table: str, key: bytes) -> bytes | None:
        found = self._transaction.get(key, db=self._tables[table])
        return None if found is None else layout.unseal(key, found)

    def _put(self, table: str, key: bytes, value: bytes) -> None:
        self._transaction.put(key, layout.seal(key, value), db=self._tables[table])

    def _delete(self, table: str, key: bytes) -> None:
        self._transaction.delete(key, db=self._tables[table])

    # --- items ----------------------------------------------------------------------------------------------

    def item(self, key: bytes) -> Item | None:
        """Return an item without its blob. One that is not what was written is moved away, and None."""
        try:
            value = self._get("item", key)
        except DamagedError:
            self.damage.move_item(key, "item")
            return None
        return None if value is None else layout.item_of(key, value)[0]

    def mend(self, damage: Damage) -> None:
        """Look again at a value that a read found damaged, and do what can be done."""
        if damage.table == "meta":
            self._must_count = damage.key == b"octets"
        else:
            self.damage.mend(damage)

    def is_away(self, key: bytes) -> bool:
        """Tell whether the item was found damaged and has not come back."""
        return self.damage.is_away(key)

    def forget_away(self, key: bytes) -> None:
        """Let go of what was damaged of an item."""
        self.damage.forget(key)

    def put_item(self, item: Item, was: Item | None, blob: bytes | None) -> None:
        """Write an item in place of `was`, and its blob unless that is there already. Errors: LimitError."""
        if not 0 < len(item.key) <= layout.KEY_OCTETS_MAX:
            raise LimitError(f"a key of {len(item.key)} octets")
        if was is None:
            self.damage.forget(item.key)
        if blob is not None:
            self._put_blob(item.key, blob)
            content_hash = layout.blob_hash(blob)
            self._octets_added += len(blob)
        else:
            content_hash = self._hash_of(item.key)
        self._put("item", item.key, layout.item_value(item, content_hash))
        self._index(item, was)

    def _hash_of(self, key: bytes) -> bytes:
        value = self._get("item", key)
        if value is None:
            raise DamagedError(f"item {key!r} is gone while it is changed")
        return layout.item_of(key, value)[1]

    def _put_blob(self, key: bytes, blob: bytes) -> None:
        view = memoryview(blob)
        for piece in range(layout.pieces_count(len(blob))):
            begin = piece * layout.BLOB_PIECE_OCTETS
            self._transaction.put(
                layout.piece_key(key, piece), view[begin : begin + layout.BLOB_PIECE_OCTETS], db=self._tables["blob"]
            )

    def _index(self, item: Item, was: Item | None) -> None:
        """Keep the order of time and the list of what is finished in step with an item."""
        before = was.parts if was is not None else {}
        for part, value in item.parts.items():
            known = before.get(part)
            if known == value:
                continue
            if known is not None and known.rank < self._terminal_rank:
                self._delete("due", layout.due_key(known.due, item.key, part))
            if value.rank < self._terminal_rank:
                self._put("due", layout.due_key(value.due, item.key, part), part)
        is_finished = are_terminal(item.parts, self._terminal_rank)
        if is_finished != are_terminal(before, self._terminal_rank):
            if is_finished:
                self._put("finished", item.key, layout.dot_key(item.put))
            else:  # a part that nobody had told of has come
                self._delete("finished", item.key)

    def delete_item(self, was: Item) -> None:
        """Remove an item, its blob and all that points to it."""
        self._delete("item", was.key)
        for piece in range(layout.pieces_count(was.size)):
            self._delete("blob", layout.piece_key(was.key, piece))
        for part, value in was.parts.items():
            if value.rank < self._terminal_rank:
                self._delete("due", layout.due_key(value.due, was.key, part))
        self._delete("finished", was.key)
        self._octets_added -= was.size

    def items(self) -> Iterator[Item]:
        """Give all items; the one just given may be deleted."""
        after: bytes | None = b""
        while after is not None:
            page, damaged, after = walk_items(self._transaction, self._tables["item"], after, _WALK_ITEMS)
            yield from page
            for key in damaged:
                self.damage.move_item(key, "item")

    # --- a snapshot that comes ------------------------------------------------------------------------------

    def name(self, key: bytes) -> None:
        """Remember that the snapshot names this key."""
        self._put("named", key, b"")

    def is_named(self, key: bytes) -> bool:
        """Tell whether the snapshot has named this key. Errors: DamagedError."""
        return self._get("named", key) is not None

    def forget_names(self) -> None:
        """Begin, or end, a snapshot: nothing is named."""
        self._transaction.drop(self._tables["named"], delete=False)

    def unnamed(self, after: bytes, until: bytes | None, keys: Set[bytes]) -> Iterator[Item]:
        """Give the items above `after`, up to `until`, that are neither named nor among `keys`; the one just given may
        be deleted. Errors: DamagedError for a damaged name."""
        on: bytes | None = after
        while on is not None:
            page, on = self._unnamed_keys(on, until, keys)
            for key in page:
                item = self.item(key)
                if item is not None:
                    yield item

    def _unnamed_keys(self, after: bytes, until: bytes | None, keys: Set[bytes]) -> tuple[list[bytes], bytes | None]:
        """Look at some keys; return those, and where to go on. No item is read."""
        page: list[bytes] = []
        last = after
        with self._transaction.cursor(db=self._tables["item"]) as cursor:
            if not (cursor.set_range(after) if after else cursor.first()):
                return page, None
            for looked_at, key in enumerate(cursor.iternext(values=False)):
                if until is not None and key > until:
                    return page, None
                if looked_at == _WALK_KEYS:
                    return page, last
                last = bytes(key)
                if last > after and last not in keys and not self.is_named(last):
                    page.append(last)
        return page, None

    def reach(self, vector: Vector) -> None:
        """Remember that items up to there may be here without being covered."""
        if self._beyond is None:
            self._beyond = self._read_beyond()
        for branch, seq in vector.items():
            if seq > self._beyond.get(branch, 0):
                self._beyond[branch] = seq
                self._is_beyond_raised = True

    def _read_beyond(self) -> Vector:
        """Return what was remembered; damaged, it is forgotten, and the next snapshot says it anew."""
        try:
            value = self._get("meta", b"beyond")
        except DamagedError:
            return {}
        return {} if value is None else layout.vector_of(value)

    # --- orphans --------------------------------------------------------------------------------------------

    def orphan(self, put: Dot) -> Orphan | None:
        """Return what is known of an item whose PUT has not come."""
        try:
            value = self._get("orphan", layout.dot_key(put))
        except DamagedError:
            self.damage.mend(Damage("orphan", layout.dot_key(put)))
            return None
        return None if value is None else layout.orphan_of(put, value)

    def put_orphan(self, orphan: Orphan) -> None:
        """Keep it for the day of the PUT."""
        self._put("orphan", layout.dot_key(orphan.put), layout.orphan_value(orphan))

    def delete_orphan(self, put: Dot) -> None:
        """Forget it."""
        self._delete("orphan", layout.dot_key(put))

    def orphans(self) -> Iterator[Orphan]:
        """Give all orphans; the one just given may be deleted."""
        orphans, damaged = walk_orphans(self._transaction, self._tables["orphan"])
        for key in damaged:
            self.damage.mend(Damage("orphan", key))
        return iter(orphans)

    # --- positions and the log ------------------------------------------------------------------------------

    def position(self, branch: Branch) -> int:
        """Return the highest seq of a branch that is applied; 0 for an unknown branch."""
        seq = self._positions.get(branch)
        if seq is None:
            value = self._get("vector", layout.branch_key(branch))
            seq = 0 if value is None else layout.number_of(value)
            self._positions[branch] = seq
        return seq

    def set_position(self, branch: Branch, seq: int) -> None:
        """Raise a branch."""
        self._positions[branch] = seq
        self._raised.add(branch)

    def vector(self) -> Vector:
        """Return how far every branch is, once `finish` has written it."""
        return walk_vector(self._transaction, self._tables["vector"])

    def append_log(self, dot: Dot, record: Record) -> None:
        """Keep a record for whoever lacks it."""
        self._put("log", layout.dot_key(dot), layout.record_value(record))

    def cut_log(self, branch: Branch, seq: int, records_max: int | None = None) -> None:
        """Drop the log of a branch up to a seq, or only the oldest of it."""
        prefix = layout.branch_key(branch)
        dropped = 0
        with self._transaction.cursor(db=self._tables["log"]) as cursor:
            is_there = cursor.set_range(prefix)
            while is_there and cursor.key().startswith(prefix) and layout.dot_of(cursor.key()).seq <= seq:
                if records_max is not None and dropped == records_max:
                    return
                is_there = cursor.delete()
                dropped += 1

    def shorten_log(self, octets_max: int) -> None:
        """Drop the oldest records of every branch while the log is too large; each time a bounded number."""
        if self._environment.table_octets(self._transaction, "log") <= octets_max:
            return
        for branch in walk_vector(self._transaction, self._tables["vector"]):
            self.cut_log(branch, self.position(branch), LOG_CUT_RECORDS_MAX)

    # --- the member's own state -----------------------------------------------------------------------------

    def set_authority(self, authority: Authority) -> None:
        """Keep the highest grant that was seen."""
        self._put("meta", b"authority", layout.authority_value(authority))

    def set_store_of(self, node: int, store_id: bytes) -> None:
        """Remember which store a neighbour has."""
        self._put("meta", layout.store_of_key(node), store_id)

    def set_floors(self, floors: Vector) -> None:
        """Keep what every member had durable."""
        self._put("meta", b"floors", layout.vector_value(floors))

    def finish(self) -> None:
        """Write what was collected: positions and the count of octets."""
        self._octets_added -= self.damage.octets_moved
        for branch in self._raised:
            self._put("vector", layout.branch_key(branch), layout.number(self._positions[branch]))
        if self._beyond is not None and self._is_beyond_raised:
            positions = {branch: self.position(branch) for branch in self._beyond}
            self._put("meta", b"beyond", layout.vector_value(beyond(self._beyond, positions)))
        if self._octets_added or self._must_count:
            self._put("meta", b"octets", layout.number(max(0, self._octets_before() + self._octets_added)))

    def _octets_before(self) -> int:
        """Return the count of blobs' octets; a damaged one begins anew."""
        try:
            value = self._get("meta", b"octets")
        except DamagedError:
            return sum(item.size for item in self.items()) - self._octets_added
        return 0 if value is None else layout.number_of(value)


def walk_items(
    transaction: Transaction, table: object, after: bytes, limit: int
) -> tuple[list[Item], list[bytes], bytes | None]:
    """Look at up to `limit` items above `after`, in the order of their keys.

    Returns them, the keys of those that are damaged, and where to go on; None at the end.
    """
    found: list[Item] = []
    damaged: list[bytes] = []
    with transaction.cursor(db=table) as cursor:
        is_there = cursor.set_range(after) if after else cursor.first()
        if is_there and after and cursor.key() == after:
            is_there = cursor.next()
        key = after
        while is_there and len(found) + len(damaged) < limit:
            key = bytes(cursor.key())
            try:
                found.append(layout.item_of(key, layout.unseal(key, cursor.value()))[0])
            except DamagedError:
                damaged.append(key)
            is_there = cursor.next()
    return found, damaged, key if is_there else None


def walk_orphans(transaction: Transaction, table: object) -> tuple[list[Orphan], list[bytes]]:
    """Return all orphans, and the places of those that are damaged."""
    found: list[Orphan] = []
    damaged: list[bytes] = []
    with transaction.cursor(db=table) as cursor:
        for key, value in cursor:
            try:
                found.append(layout.orphan_of(layout.dot_of(key), layout.unseal(key, value)))
            except DamagedError:
                damaged.append(bytes(key))
    return found, damaged


def walk_vector(transaction: Transaction, table: object) -> Vector:
    """Return the whole vector."""
    with transaction.cursor(db=table) as cursor:
        return {layout.branch_of(key): layout.number_of(layout.unseal(key, value)) for key, value in cursor}

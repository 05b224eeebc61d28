"""Comparing what two members hold: digests of ranges of keys first, then of the keys in ranges that differ.

The asking side walks its keys in order and makes ranges of LEAF_KEYS of them; together they cover every key there can
be, so that what it lacks falls into one as well. The other side makes the digests of its own keys in those ranges.
A few kilobytes say that a hundred thousand items are equal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from replicator.core.values import Item

LEAF_KEYS = 1_024
RANGES_MAX = 16  # in one question
DIGEST_OCTETS = 16
_STATE_OCTETS = 8

_PUT = struct.Struct(">IQQQII")
_PART = struct.Struct(">IIIQQI")
_NUMBER = struct.Struct(">Q")
HERE_DAMAGED = 0  # instead of a state's digest: the item is here, and damaged


class Range(NamedTuple):
    """Consecutive keys, and what they come to."""

    end: bytes  # the first key that is not of it; b"": all that follow
    keys_count: int
    digest: bytes


class Difference(NamedTuple):
    """A key whose states are not the same, or that one side lacks."""

    key: bytes
    what: str  # 'only here', 'only there', 'state', 'damaged here', 'damaged there'


class Comparison(NamedTuple):
    """What a comparison came to. why: it could not be made or ended, and nothing is known."""

    items: int = 0
    differences: tuple[Difference, ...] = ()
    is_cut_short: bool = False  # there are more
    octets: int = 0  # of what went over the link, about
    why: str = ""


def state_digest(item: Item, content_hash: bytes) -> int:
    """Return the digest of all that is known of an item. Parts have no order."""
    put, flags = item.put, item.flags
    digest = blake2b(
        _PUT.pack(put.branch.node, put.branch.incarnation, put.seq, flags.hlc, len(flags.data), len(item.meta)),
        digest_size=_STATE_OCTETS,
    )
    for field in (item.key, flags.data, item.meta, content_hash):
        digest.update(field)
    for name, value in sorted(item.parts.items()):
        digest.update(_PART.pack(len(name), value.rank, value.attempts, value.hlc, value.due, len(value.data)))
        digest.update(name)
        digest.update(value.data)
    return int(_NUMBER.unpack(digest.digest())[0]) or 1


def leaf_digest(states: Iterable[tuple[bytes, int]]) -> bytes:
    """Return what keys and their states come to, in the order of the keys."""
    digest = blake2b(digest_size=DIGEST_OCTETS)
    for key, state in states:
        digest.update(_NUMBER.pack(len(key)) + key + _NUMBER.pack(state))
    return digest.digest()


def ranges_of(states: Sequence[tuple[bytes, int]], following: bytes) -> list[Range]:
    """Cut consecutive states into ranges. following: the first key behind them; b"" when they are the last."""
    ranges = []
    for at in range(0, max(len(states), 1), LEAF_KEYS):
        leaf = states[at : at + LEAF_KEYS]
        behind = at + LEAF_KEYS
        end = states[behind][0] if behind < len(states) else following
        ranges.append(Range(end, len(leaf), leaf_digest(leaf)))
    return ranges


def differing(
    ranges: Sequence[Range], states: Sequence[tuple[bytes, int]]
) -> tuple[list[int], list[tuple[bytes, int]]]:
    """Hold our states against the other's ranges: return which differ, and our states in those."""
    which: list[int] = []
    ours: list[tuple[bytes, int]] = []
    at = 0
    for number, (end, keys_count, digest) in enumerate(ranges):
        begin = at
        while at < len(states) and (not end or states[at][0] < end):
            at += 1
        leaf = states[begin:at]
        if len(leaf) != keys_count or leaf_digest(leaf) != digest:
            which.append(number)
            ours += leaf
    return which, ours


def differences(mine: Mapping[bytes, int], theirs: Mapping[bytes, int]) -> list[Difference]:
    """Name what is not the same, in the order of the keys."""
    return [
        Difference(key, _what(mine.get(key), theirs.get(key)))
        for key in sorted(mine.keys() | theirs.keys())
        if mine.get(key) != theirs.get(key)
    ]


def _what(mine: int | None, theirs: int | None) -> str:
    if mine == HERE_DAMAGED:
        return "damaged here"
    if theirs == HERE_DAMAGED:
        return "damaged there"
    if mine is None or theirs is None:
        return "only there" if mine is None else "only here"
    return "state"

"""Digests of ranges: equal where the states are, different wherever one state is."""

from __future__ import annotations

from replicator.core.compare import HERE_DAMAGED, LEAF_KEYS, differences, differing, ranges_of, state_digest
from replicator.core.values import NO_FLAGS, Branch, Dot, Flags, Item, PartValue

COUNT = 3 * LEAF_KEYS + 7
STATES = [(b"%06d" % number, number + 1) for number in range(COUNT)]
PART = PartValue(1, 2, 3, 4, b"said")
ITEM = Item(b"key", Dot(Branch(0, 7), 5), {b"a": PART, b"b": PART}, NO_FLAGS, b"meta", 9)


def test_equal_states_differ_in_no_range() -> None:
    assert differing(ranges_of(STATES, b""), STATES) == ([], [])
    assert differing(ranges_of([], b""), []) == ([], [])


def test_every_kind_of_change_is_seen_in_its_range_alone() -> None:
    ranges = ranges_of(STATES, b"")
    at = LEAF_KEYS + 3
    changed = [*STATES[:at], (STATES[at][0], 0), *STATES[at + 1 :]]
    missing = [*STATES[:at], *STATES[at + 1 :]]
    added = [*STATES[:at], (STATES[at - 1][0] + b"x", 9), *STATES[at:]]
    for theirs in (changed, missing, added):
        which, states = differing(ranges, theirs)
        assert which == [1]
        assert states == [entry for entry in theirs if STATES[LEAF_KEYS][0] <= entry[0] < STATES[2 * LEAF_KEYS][0]]


def test_the_ranges_cover_keys_before_between_and_behind_ours() -> None:
    for key, leaf in ((b"", 0), (b"000005x", 0), (STATES[-1][0] + b"x", 3)):
        which, _ = differing(ranges_of(STATES, b""), sorted([*STATES, (key, 1)]))
        assert which == [leaf]
    assert differing(ranges_of([], b""), STATES)[0] == [0]


def test_a_page_ends_where_the_next_begins() -> None:
    page = ranges_of(STATES[:LEAF_KEYS], STATES[LEAF_KEYS][0])
    assert differing(page, STATES[:LEAF_KEYS]) == ([], [])
    assert differing(page, STATES[: LEAF_KEYS - 1])[0] == [0]


def test_differences_say_which_side_has_what() -> None:
    mine = {b"a": 1, b"b": 2, b"c": 3, b"d": HERE_DAMAGED, b"e": 5}
    theirs = {b"a": 1, b"b": 9, b"d": 4, b"e": HERE_DAMAGED, b"f": 6}
    assert [tuple(difference) for difference in differences(mine, theirs)] == [
        (b"b", "state"),
        (b"c", "only here"),
        (b"d", "damaged here"),
        (b"e", "damaged there"),
        (b"f", "only there"),
    ]


def test_the_order_of_parts_is_not_a_state() -> None:
    turned = ITEM._replace(parts=dict(reversed(ITEM.parts.items())))
    assert state_digest(turned, b"hash") == state_digest(ITEM, b"hash")


def test_whatever_is_known_of_an_item_is_in_its_state() -> None:
    changed = [
        ITEM._replace(key=b"other"),
        ITEM._replace(put=Dot(Branch(0, 7), 6)),
        ITEM._replace(put=Dot(Branch(0, 8), 5)),
        ITEM._replace(flags=Flags(1, b"")),
        ITEM._replace(flags=Flags(0, b"held")),
        ITEM._replace(meta=b"meta2"),
        ITEM._replace(parts={b"a": PART}),
        *(
            ITEM._replace(parts={b"a": PART, b"b": PART._replace(**field)})
            for field in ({"rank": 2}, {"attempts": 3}, {"hlc": 4}, {"due": 5}, {"data": b"other"})
        ),
    ]
    states = {state_digest(item, b"hash") for item in changed} | {state_digest(ITEM, b"other hash")}
    assert len(states) == len(changed) + 1
    assert state_digest(ITEM, b"hash") not in states

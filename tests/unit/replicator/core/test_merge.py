"""What one record does to what a member holds, rule by rule."""

import pytest

from replicator.core import merge
from replicator.core.events import Commit, Stretch
from replicator.core.merge import Change
from replicator.core.messages import SnapshotItem
from replicator.core.values import NO_FLAGS, NOWHERE, Away, Branch, Dot, Flags, Kind, PartValue, Record
from tests.fakes.model_store import ModelTables
from tests.fakes.pair import TERMINAL, part, put

A = Branch(0, 7)
B = Branch(1, 9)
PUT = Dot(A, 1)
WAITING = PartValue(0, 0, 0, 0, b"")


def apply(tables: ModelTables, branch: Branch, *records: Record) -> list[merge.Applied]:
    """Apply records at the next positions of a branch."""
    return [merge.apply(tables, Dot(branch, tables.position(branch) + 1), record, TERMINAL) for record in records]


def changes(applied: list[merge.Applied]) -> list[Change]:
    return [one.change for one in applied]


def done(key: str) -> Record:
    return Record(Kind.DONE, key.encode(), PUT)


def snapshot_item(blob: bytes | None = b"content", kind: Kind = Kind.PUT) -> SnapshotItem:
    parts = ((b"part", WAITING),) if kind is not Kind.DONE else ()
    return SnapshotItem(b"x", PUT, parts, NO_FLAGS, b"meta", blob, kind)


def test_an_item_lives_from_its_put_to_its_done() -> None:
    tables = ModelTables()
    came = apply(tables, A, put("x"), part("x", PUT, 1), part("x", PUT, 2), done("x"))
    assert changes(came) == [Change.ADDED, Change.CHANGED, Change.CHANGED, Change.REMOVED]
    assert [one.is_finished for one in came] == [False, False, True, False]
    assert tables.held == {}
    assert tables.blobs == {}
    assert tables.orphaned == {}
    assert tables.vector == {A: 4}


def test_parts_only_rise() -> None:
    tables = ModelTables()
    came = apply(tables, A, put("x"), part("x", PUT, 2, hlc=5), part("x", PUT, 1, hlc=9))
    assert changes(came)[-1] is Change.NOTHING
    assert tables.held[b"x"].parts[b"part"].rank == 2


def test_flags_are_the_last_written_and_ties_go_to_the_larger_data() -> None:
    tables = ModelTables()
    written = [Flags(5, b"a"), Flags(4, b"z"), Flags(5, b"b")]
    apply(tables, A, put("x"), *(Record(Kind.FLAGS, b"x", PUT, flags=flags) for flags in written))
    assert tables.held[b"x"].flags == Flags(5, b"b")


def test_what_was_applied_before_touches_nothing() -> None:
    tables = ModelTables()
    apply(tables, A, put("x"), part("x", PUT, 1))
    again = merge.apply(tables, Dot(A, 1), put("x"), TERMINAL)
    assert again.change is Change.HELD
    assert tables.held[b"x"].parts[b"part"].rank == 1
    assert tables.vector == {A: 2}


def test_a_record_of_a_later_version_touches_no_item() -> None:
    tables = ModelTables()
    came = apply(tables, A, put("x"), Record(64, b"x", PUT, ((b"part", WAITING._replace(rank=2)),)))
    assert came[-1] == merge.Applied(Change.NOTHING, b"x", PUT)
    assert tables.held[b"x"].parts == {b"part": WAITING}
    assert tables.vector == {A: 2}


def test_an_unknown_rank_sorts_by_its_number_and_ends_a_part_from_the_terminal_rank_on() -> None:
    tables = ModelTables()
    came = apply(tables, A, put("x"), part("x", PUT, TERMINAL - 1), part("x", PUT, 900), part("x", PUT, TERMINAL))
    assert [one.is_finished for one in came] == [False, False, True, False]
    assert tables.held[b"x"].parts[b"part"].rank == 900


def test_a_gap_is_refused() -> None:
    tables = ModelTables()
    with pytest.raises(merge.SequenceGapError):
        merge.apply(tables, Dot(A, 2), put("x"), TERMINAL)


def test_a_key_is_never_used_twice() -> None:
    tables = ModelTables()
    apply(tables, A, put("x"))
    with pytest.raises(merge.KeyTakenError):
        apply(tables, B, put("x"))
    with pytest.raises(merge.KeyTakenError):
        merge.merge_item(tables, snapshot_item()._replace(put=Dot(B, 1)), TERMINAL)


def test_a_record_before_its_put_waits_for_it() -> None:
    tables = ModelTables()
    flags = Record(Kind.FLAGS, b"x", PUT, flags=Flags(3, b"hold"))
    assert changes(apply(tables, B, part("x", PUT, 1), flags)) == [Change.ORPHANED, Change.ORPHANED]
    assert tables.held == {}
    apply(tables, A, put("x"))
    assert tables.held[b"x"].parts[b"part"].rank == 1
    assert tables.held[b"x"].flags == Flags(3, b"hold")
    assert tables.orphaned == {}


def test_a_put_that_completes_what_waited_is_finished() -> None:
    tables = ModelTables()
    apply(tables, B, part("x", PUT, TERMINAL))
    assert apply(tables, A, put("x"))[0].is_finished


def test_a_put_after_its_done_is_skipped() -> None:
    tables = ModelTables()
    came = apply(tables, B, done("x"), part("x", PUT, 1))
    assert changes(came) == [Change.ORPHANED, Change.NOTHING]
    assert changes(apply(tables, A, put("x"))) == [Change.NOTHING]
    assert tables.held == {}
    assert tables.orphaned == {}
    assert tables.vector == {A: 1, B: 2}


def test_a_record_about_what_was_finished_is_ignored() -> None:
    tables = ModelTables()
    apply(tables, A, put("x"), done("x"))
    assert changes(apply(tables, B, part("x", PUT, 1), done("x"))) == [Change.NOTHING, Change.NOTHING]
    assert tables.orphaned == {}


def test_a_record_about_an_older_item_of_the_key_leaves_the_newer_one() -> None:
    tables = ModelTables()
    apply(tables, A, put("x"), done("x"), put("x"))
    apply(tables, B, done("x"), part("x", PUT, 3))
    assert tables.held[b"x"].put == Dot(A, 3)
    assert tables.held[b"x"].parts[b"part"].rank == 0


def test_a_void_covers_its_put_and_drops_what_waited() -> None:
    tables = ModelTables()
    apply(tables, B, part("x", PUT, 1))
    assert changes(apply(tables, A, Record(Kind.VOID, b"x"))) == [Change.NOTHING]
    assert tables.held == {}
    assert tables.orphaned == {}
    assert tables.vector == {A: 1, B: 1}


def test_a_void_ends_an_item_that_an_unended_snapshot_brought() -> None:
    tables = ModelTables()
    merge.merge_item(tables, snapshot_item(), TERMINAL)
    assert changes(apply(tables, A, Record(Kind.VOID, b"x"))) == [Change.REMOVED]


def test_an_abort_takes_an_item_back() -> None:
    tables = ModelTables()
    came = apply(tables, A, put("x"), Record(Kind.ABORT, b"x", PUT))
    assert changes(came) == [Change.ADDED, Change.REMOVED]


def test_an_item_without_parts_is_not_finished_by_itself() -> None:
    tables = ModelTables()
    assert not apply(tables, A, Record(Kind.PUT, b"x"))[0].is_finished


def test_a_snapshot_item_is_added_unless_it_was_finished_here() -> None:
    fresh, knowing = ModelTables(), ModelTables()
    apply(knowing, A, put("x"), done("x"))
    assert merge.merge_item(fresh, snapshot_item(), TERMINAL).change is Change.ADDED
    assert fresh.vector == {}
    assert merge.merge_item(knowing, snapshot_item(), TERMINAL).change is Change.NOTHING
    assert knowing.held == {}


def test_a_snapshot_item_without_blob_is_joined_but_never_added() -> None:
    holding, fresh = ModelTables(), ModelTables()
    apply(holding, A, put("x"))
    raised = snapshot_item(None)._replace(parts=((b"part", PartValue(1, 1, 1, 0, b"")),))
    assert merge.merge_item(holding, raised, TERMINAL).change is Change.CHANGED
    assert holding.blobs[b"x"] == b"content"
    with pytest.raises(merge.BlobMissingError):
        merge.merge_item(fresh, snapshot_item(None), TERMINAL)


def test_what_ended_between_a_snapshots_item_and_its_put_stays_ended() -> None:
    tables = ModelTables()
    merge.merge_item(tables, snapshot_item(), TERMINAL)
    assert changes(apply(tables, B, done("x"))) == [Change.REMOVED]
    assert merge.merge_item(tables, snapshot_item(), TERMINAL).change is Change.NOTHING  # the snapshot, once more
    assert changes(apply(tables, A, put("x"))) == [Change.NOTHING]
    assert tables.held == {}


def test_a_snapshot_tells_what_its_sender_knows_of_items_that_it_lacks() -> None:
    ended, raised = ModelTables(), ModelTables()
    for tables in (ended, raised):
        apply(tables, A, put("x"))
    merge.merge_item(ended, snapshot_item(None, Kind.DONE), TERMINAL)
    assert ended.held == {}
    said = snapshot_item(None, Kind.PART)._replace(parts=((b"part", PartValue(1, 1, 1, 0, b"")),))
    merge.merge_item(raised, said, TERMINAL)
    assert raised.held[b"x"].parts[b"part"].rank == 1


def test_the_end_of_a_snapshot_drops_what_the_sender_finished_and_nothing_else() -> None:
    tables = ModelTables()
    apply(tables, A, put("finished there"), put("held there"), put("never seen there"))
    vector = {A: 2, B: 4}
    end = Commit(1, begin=vector, stretch=Stretch(vector, b"", None), vector=vector)
    named = snapshot_item(None)._replace(key=b"held there", put=Dot(A, 2))
    dropped = list(merge.take_items(tables, end._replace(items=(named,), is_snapshot=True), TERMINAL))
    assert [one.key for one in dropped if one.change is Change.REMOVED] == [b"finished there"]
    assert sorted(tables.held) == [b"held there", b"never seen there"]
    assert tables.vector == {A: 3, B: 4}


@pytest.mark.parametrize("key", ["a", "m"])
def test_what_a_snapshot_has_passed_and_left_out_is_not_added_when_it_comes_of_another(key: str) -> None:
    tables = ModelTables()
    passed = Stretch({A: 2}, b"", b"m")
    came = merge.apply(tables, PUT, put(key), TERMINAL, passed)
    assert came == merge.Applied(Change.NOTHING, key.encode(), PUT)
    assert (tables.held, tables.orphaned, tables.vector) == ({}, {}, {A: 1})


def test_what_it_named_has_not_reached_or_does_not_cover_is_added() -> None:
    tables = ModelTables()
    tables.name(b"named")
    passed = Stretch({A: 2}, b"", b"o")
    came = [
        merge.apply(tables, Dot(A, seq), put(key), TERMINAL, passed)
        for seq, key in enumerate(("named", "p", "not covered"), 1)
    ]
    assert changes(came) == [Change.ADDED, Change.ADDED, Change.ADDED]


def test_what_is_away_and_was_left_out_ends_with_its_put() -> None:
    tables = ModelTables()
    tables.keep_away(Away(b"x", PUT))
    apply(tables, B, part("x", PUT, 1))
    merge.apply(tables, PUT, put("x"), TERMINAL, Stretch({A: 2}, b"", b"z"))
    assert (tables.held, tables.orphaned, tables.is_away(b"x")) == ({}, {}, False)


def test_the_end_of_a_snapshot_forgets_what_it_made_certain() -> None:
    tables = ModelTables()
    apply(tables, B, done("x"), Record(Kind.DONE, b"y", Dot(A, 9)))
    merge.end_snapshot(tables, {A: 3})
    assert list(tables.orphaned) == [Dot(A, 9)]


def test_the_end_of_an_item_whose_put_could_not_be_read_takes_along_what_was_learned_meanwhile() -> None:
    tables = ModelTables()
    apply(tables, A, put("x"))
    tables.delete_item(tables.held[b"x"])
    tables.keep_away(Away(b"x", None))
    apply(tables, A, part("x", PUT, 2))
    assert list(tables.orphaned) == [PUT]
    gone = SnapshotItem(b"x", NOWHERE, (), NO_FLAGS, b"", None, Kind.DONE)
    merge.merge_item(tables, gone, TERMINAL)
    assert tables.orphaned == {}
    assert not tables.is_away(b"x")


def test_a_snapshot_does_not_bring_back_what_is_away_and_may_be_known_better_here() -> None:
    tables = ModelTables()
    apply(tables, A, put("x"), part("x", PUT, 1))
    tables.delete_item(tables.held[b"x"])
    tables.keep_away(Away(b"x", None))
    (taken,) = merge.take_items(tables, Commit(1, items=(snapshot_item(),), is_snapshot=True), TERMINAL)
    assert (taken.change, tables.is_away(b"x"), tables.held) == (Change.ORPHANED, True, {})
    (taken,) = merge.take_items(tables, Commit(2, items=(snapshot_item(),)), TERMINAL)
    assert (taken.change, tables.is_away(b"x"), list(tables.held)) == (Change.ADDED, False, [b"x"])


def test_a_snapshot_brings_back_what_is_away_and_was_never_confirmed() -> None:
    tables = ModelTables()
    tables.keep_away(Away(b"x", None))
    (taken,) = merge.take_items(tables, Commit(1, items=(snapshot_item(),), is_snapshot=True), TERMINAL)
    assert (taken.change, tables.is_away(b"x")) == (Change.ADDED, False)

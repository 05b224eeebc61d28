from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Thread

import pytest

from mtad.config.forms import MapSource
from mtad.maps.answer import AtOnce, Found, Unavailable
from mtad.maps.file import FileMap, open_file
from mtad.maps.lines import Wrong
from mtad.maps.shelf import RETIRED_SECONDS, Draft, Shelf, Unusable, build_shelf
from mtad.maps.table import Table, read_table
from mtad.telemetry.events import CollectedEvents
from tests.unit.mtad.maps.test_lmdb_file import write


def value(shelf: Shelf, name: str, key: str) -> object:
    found = shelf.maps[name]
    assert isinstance(found, AtOnce)
    return found.get(key)


def test_each_kind(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("a 1\n")
    (tmp_path / "nets").write_text("192.0.2.0/24 ours\n")
    (tmp_path / "patterns").write_text("/^a/ begins\n")
    shelf = build_shelf(
        {
            "users": MapSource("file", str(tmp_path / "users")),
            "nets": MapSource("cidr", str(tmp_path / "nets")),
            "patterns": MapSource("regexp", str(tmp_path / "patterns")),
        }
    )
    assert shelf.unusable == ()
    assert value(shelf, "users", "a") == Found("1")
    assert value(shelf, "nets", "192.0.2.1") == Found("ours")
    assert value(shelf, "patterns", "ab") == Found("begins")


def test_what_cannot_be_had_is_told_and_the_others_are_there(tmp_path: Path) -> None:
    bad, users, none = tmp_path / "bad", tmp_path / "users", tmp_path / "none"
    bad.write_text("x y\nz\n")
    users.write_text("a 1\n")
    sources = {"bad": MapSource("cidr", str(bad)), "users": MapSource("file", str(users))}
    shelf = build_shelf({**sources, "none": MapSource("file", str(none))})
    assert list(shelf.maps) == ["users"]
    assert shelf.unusable == (
        Unusable("bad", str(bad), 1, '"x" is no network, or has bits set behind its prefix'),
        Unusable("bad", str(bad), 2, '"z" is no network, or has bits set behind its prefix'),
        Unusable("none", str(none), 1, "cannot be read: No such file or directory"),
    )
    assert str(shelf.unusable[2]) == f"map none: {none}:1: cannot be read: No such file or directory"


async def test_a_fault_of_ours_with_one_file_leaves_the_others_followed(tmp_path: Path) -> None:
    def read(text: str) -> Table | Wrong:
        if "2" in text:
            raise RecursionError("too deep")
        return read_table(text)

    opened = [open_file(path, read) for path in (tmp_path / "a", tmp_path / "b") if path.write_text("k 1\n")]
    shelf = Shelf({str(order): one for order, one in enumerate(opened) if isinstance(one, FileMap)})
    (tmp_path / "a").write_text("k 22\n")
    (tmp_path / "b").write_text("k 33\n")
    events = CollectedEvents()
    for _ in range(3):
        await shelf.refresh(events)
    assert [fields["why"] for fields in events.named("map.unreadable")] == ["RecursionError: too deep"]
    (tmp_path / "a").write_text("k 444\n")
    for _ in range(2):
        await shelf.refresh(events)
    assert (value(shelf, "0", "k"), value(shelf, "1", "k")) == (Found("444"), Found("33"))


async def test_maps_follow_their_files_and_say_so_once(tmp_path: Path) -> None:
    path, events = tmp_path / "users", CollectedEvents()
    path.write_text("a 1\n")
    shelf = build_shelf({"users": MapSource("file", str(path))})

    async def rewritten(text: str, at_ns: int) -> list[str]:
        path.write_text(text)
        os.utime(path, ns=(at_ns, at_ns))
        for _ in range(3):
            await shelf.refresh(events)
        names = [name for name, _ in events.events]
        events.events.clear()
        return names

    assert await rewritten("a 2\n", 1) == ["map.read"]
    assert value(shelf, "users", "a") == Found("2")
    assert await rewritten("a 3\na 4\n", 2) == ["map.unreadable"]
    assert await rewritten("a 5\n", 3) == ["map.read"]
    path.unlink()
    for _ in range(3):
        await shelf.refresh(events)
    assert events.named("map.unreadable") == [
        {"map": "users", "line": 1, "why": "cannot be read: No such file or directory"}
    ]
    assert value(shelf, "users", "a") == Found("5")


async def test_watching_ends(tmp_path: Path) -> None:
    (tmp_path / "users").write_text("a 1\n")
    shelf = build_shelf({"users": MapSource("file", str(tmp_path / "users"))})
    shelf.start(CollectedEvents())
    await shelf.close()
    await Shelf().close()


class TestOneFile:
    """An LMDB file that goes by several names, and is opened once."""

    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, MapSource]:
        monkeypatch.chdir(tmp_path)
        write(tmp_path / "users.lmdb", {b"a": b"1"})
        (tmp_path / "link.lmdb").symlink_to("users.lmdb")
        names = ("users", "./users", "users.lmdb", str(tmp_path / "users"), "link")
        return {name: MapSource("lmdb", name) for name in names}

    def test_in_one_policy(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = self.folder(tmp_path, monkeypatch)
        shelf = build_shelf(sources)
        assert shelf.unusable == ()
        assert [value(shelf, name, "a") for name in sources] == [Found("1")] * len(sources)
        shelf.release()

    def test_in_one_policy_after_the_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = self.folder(tmp_path, monkeypatch)
        shelf = build_shelf({})
        for _ in range(2):
            for name, source in sources.items():
                draft = shelf.draft({name: source})
                assert draft.unusable == ()
                shelf.take(draft)
                assert value(shelf, name, "a") == Found("1")
        shelf.release()

    def test_a_link_that_leads_elsewhere_is_another_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        sources = self.folder(tmp_path, monkeypatch)
        shelf = build_shelf(sources)
        write(tmp_path / "others.lmdb", {b"a": b"2"})
        (tmp_path / "link.lmdb").unlink()
        (tmp_path / "link.lmdb").symlink_to("others.lmdb")
        draft = shelf.draft(sources)
        assert draft.unusable == ()
        shelf.take(draft)
        assert (value(shelf, "users", "a"), value(shelf, "link", "a")) == (Found("1"), Found("2"))
        shelf.release()

    def test_a_name_that_leads_nowhere_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        shelf = build_shelf(self.folder(tmp_path, monkeypatch) | {"none": MapSource("lmdb", "none")})
        assert [one.name for one in shelf.unusable] == ["none"]
        shelf.release()


async def test_an_lmdb_file_is_followed_and_closed(tmp_path: Path) -> None:
    events = CollectedEvents()
    write(tmp_path / "users.lmdb", {b"a": b"1"})
    write(tmp_path / "new.lmdb", {b"a": b"2"})
    shelf = build_shelf({"users": MapSource("lmdb", str(tmp_path / "users"))})
    shelf.start(events)
    (tmp_path / "new.lmdb").rename(tmp_path / "users.lmdb")
    await shelf.refresh(events)
    await shelf.refresh(events)
    assert value(shelf, "users", "a") == Found("2")
    assert [name for name, _ in events.events] == ["map.read"]
    await shelf.close()
    again = build_shelf({"users": MapSource("lmdb", str(tmp_path / "users"))})  # LMDB opens a file once a process
    assert again.unusable == ()
    again.release()


def test_a_place_that_is_none_is_told() -> None:
    shelf = build_shelf({"a": MapSource("socketmap", "x"), "b": MapSource("tcp", "x")})
    assert [one.name for one in shelf.unusable] == ["a", "b"]


def test_a_database_is_described_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "users.toml"
    path.write_text('url = "sqlite://"\n')
    (unusable,) = build_shelf({"users": MapSource("sql", str(path))}).unusable
    assert str(unusable) == f"map users: {path}:1: needs url and query, two texts, and nothing else"


@pytest.mark.parametrize(
    ("kind", "module", "why"),
    [("sql", "mtad.maps.sql", "needs SQLAlchemy"), ("ldap", "mtad.maps.ldap_client", "needs python-ldap")],
)
def test_what_an_extra_brings(
    kind: str, module: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (unusable,) = build_shelf({"users": MapSource(kind, str(tmp_path / "x"))}).unusable
    assert unusable.why.startswith(why)


class TestTakenAnew:
    """A shelf whose maps change while sessions go on."""

    def file(self, folder: Path, name: str) -> MapSource:
        (folder / name).write_text(f"key {name}\n")
        return MapSource("file", str(folder / name))

    def test_what_stays_is_the_same_and_what_is_new_is_there(self, tmp_path: Path) -> None:
        one, two = self.file(tmp_path, "one"), self.file(tmp_path, "two")
        shelf = build_shelf({"a": one})
        before = shelf.maps["a"]
        draft = shelf.draft({"a": one, "b": two, "again": one})
        assert list(shelf.maps) == ["a"]
        shelf.take(draft)
        assert shelf.maps["a"] is shelf.maps["again"] is before
        assert value(shelf, "b", "key") == Found("two")

    def test_a_draft_that_is_not_taken_leaves_all_as_it_was(self, tmp_path: Path) -> None:
        write(tmp_path / "users.lmdb", {b"a": b"1"})
        users = MapSource("lmdb", str(tmp_path / "users"))
        shelf = build_shelf({})
        draft = shelf.draft({"users": users, "none": MapSource("file", str(tmp_path / "none"))})
        assert [one.name for one in draft.unusable] == ["none"]
        shelf.discard(draft)
        assert (shelf.maps, shelf.unusable) == ({}, ())
        again = shelf.draft({"users": users})  # it could not be opened were it open
        assert again.unusable == ()
        shelf.take(again)
        assert value(shelf, "users", "a") == Found("1")
        shelf.release()

    def test_who_began_with_a_map_asks_it_for_a_while(self, tmp_path: Path) -> None:
        write(tmp_path / "users.lmdb", {b"a": b"1"})
        users, moment = MapSource("lmdb", str(tmp_path / "users")), [0.0]
        shelf = build_shelf({"users": users})
        shelf.now = lambda: moment[0]
        old = shelf.maps["users"]
        assert isinstance(old, AtOnce)
        shelf.take(shelf.draft({}))
        moment[0] = RETIRED_SECONDS - 1
        shelf.forget_retired()
        assert old.get("a") == Found("1")
        shelf.take(shelf.draft({"people": users}))  # another name, the same file
        assert shelf.maps["people"] is old
        shelf.take(shelf.draft({}))
        moment[0] += RETIRED_SECONDS
        draft = shelf.draft({})
        shelf.forget_retired()
        assert old.get("a") == Found("1"), "a draft may have it again"
        shelf.take(draft)
        shelf.forget_retired()
        assert isinstance(old.get("a"), Unavailable)

    def test_a_text_that_no_policy_named_for_a_while_is_read_anew(self, tmp_path: Path) -> None:
        users = self.file(tmp_path, "users")
        shelf = build_shelf({"users": users})
        shelf.take(shelf.draft({}))
        Path(users.where).write_text("key another\n")
        shelf.take(shelf.draft({"users": users}))
        assert value(shelf, "users", "key") == Found("another")
        shelf.take(shelf.draft({}))
        Path(users.where).unlink()
        draft = shelf.draft({"users": users})
        assert [one.why for one in draft.unusable] == ["cannot be read: No such file or directory"]
        shelf.discard(draft)
        shelf.release()

    def test_few_are_kept_so(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("mtad.maps.shelf.RETIRED_MAX", 1)
        for name in ("one", "two"):
            write(tmp_path / f"{name}.lmdb", {b"a": name.encode()})
        shelf = build_shelf({name: MapSource("lmdb", str(tmp_path / name)) for name in ("one", "two")})
        one, two = shelf.maps["one"], shelf.maps["two"]
        assert isinstance(one, AtOnce)
        assert isinstance(two, AtOnce)
        shelf.take(shelf.draft({}))
        shelf.forget_retired()
        assert isinstance(one.get("a"), Unavailable)
        assert two.get("a") == Found("two")
        shelf.release()
        assert isinstance(two.get("a"), Unavailable)

    def test_a_draft_that_fails_leaves_nothing_open(self, tmp_path: Path) -> None:
        write(tmp_path / "users.lmdb", {b"a": b"1"})
        users = MapSource("lmdb", str(tmp_path / "users"))
        shelf = build_shelf({"old": self.file(tmp_path, "old")})
        with pytest.raises(KeyError) as failed:
            shelf.draft({"users": users, "unheard-of": MapSource("abacus", "x")})
        again = shelf.draft({"users": users})
        assert again.unusable == (), failed  # whose frames keep alive what was not closed
        shelf.take(again)
        shelf.release()

    def test_what_is_retired_is_forgotten_behind_a_draft_that_failed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write(tmp_path / "users.lmdb", {b"a": b"1"})
        shelf = build_shelf({"users": MapSource("lmdb", str(tmp_path / "users"))})
        users = shelf.maps["users"]
        assert isinstance(users, AtOnce)
        shelf.take(shelf.draft({}))
        with pytest.raises(KeyError):
            shelf.draft({"unheard-of": MapSource("abacus", "x")})
        monkeypatch.setattr("mtad.maps.shelf.RETIRED_MAX", 0)
        shelf.forget_retired()
        assert isinstance(users.get("a"), Unavailable)

    def test_a_draft_that_cannot_be_let_go_of_is_over_all_the_same(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            write(tmp_path / f"{name}.lmdb", {b"a": b"1"})
        sources = {name: MapSource("lmdb", str(tmp_path / name)) for name in ("one", "two")}
        shelf = build_shelf({})
        draft = shelf.draft(sources)

        def fail() -> None:
            raise OSError("cannot be closed")

        draft.opened[sources["one"]].held.callback(fail)
        with pytest.raises(OSError, match="cannot be closed"):
            shelf.discard(draft)
        assert shelf.draft(sources).unusable == ()

    def test_a_draft_waits_while_what_is_retired_is_closed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("mtad.maps.shelf.RETIRED_MAX", 0)
        write(tmp_path / "users.lmdb", {b"a": b"1"})
        users, drafts = MapSource("lmdb", str(tmp_path / "users")), list[Draft]()
        shelf = build_shelf({})
        first = shelf.draft({"users": users})
        drafting = Thread(target=lambda: drafts.append(shelf.draft({"users": users})))

        def close_slowly() -> None:
            drafting.start()
            drafting.join(timeout=0.2)  # it has come that far, or waits for us

        first.opened[users].held.callback(close_slowly)
        shelf.take(first)
        shelf.take(shelf.draft({}))
        shelf.forget_retired()
        drafting.join()
        (draft,) = drafts
        assert draft.unusable == (), "it was opened while it was still open"
        shelf.take(draft)
        assert value(shelf, "users", "a") == Found("1")
        shelf.release()

    def test_what_a_file_describes_is_read_anew(self, tmp_path: Path) -> None:
        path = tmp_path / "users.toml"
        path.write_text(f'url = "sqlite:///{tmp_path}/users.db"\nquery = "SELECT :key"\n')
        users = MapSource("sql", str(path))
        shelf = build_shelf({"users": users})
        before = shelf.maps["users"]
        for _ in range(2):
            shelf.take(shelf.draft({"users": users}))
            assert shelf.maps["users"] is not before
        shelf.release()

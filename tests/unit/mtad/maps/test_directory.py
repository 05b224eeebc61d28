from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mtad.maps.answer import ABSENT, Answer, Found, Unavailable
from mtad.maps.directory import ENTRIES_MAX, Directory, Search, read_search
from mtad.maps.lines import Line, Wrong

SEARCH = Search("ldap://127.0.0.1", "dc=l", "(mail=:key)", "home")


@dataclass
class FakeBound:
    """A directory that fails on demand."""

    entries: dict[str, Sequence[Sequence[bytes]]]
    asked: list[str] = field(default_factory=list)
    is_down: bool = False
    is_closed: bool = False

    def search(self, filter_text: str, entries_max: int) -> Sequence[Sequence[bytes]]:
        self.asked.append(filter_text)
        if self.is_down:
            raise ConnectionResetError("gone")
        return self.entries.get(filter_text, ())

    def close(self) -> None:
        self.is_closed = True


@dataclass
class Making:
    """Makes such connections."""

    entries: dict[str, Sequence[Sequence[bytes]]] = field(default_factory=dict)
    made: list[FakeBound] = field(default_factory=list)
    is_down: bool = False

    def __call__(self) -> FakeBound:
        self.made.append(FakeBound(self.entries, is_down=self.is_down))
        return self.made[-1]


@pytest.mark.parametrize(
    ("entries", "answer"),
    [
        ([[b"/home/ann"]], Found("/home/ann")),
        ([[b"a", b"b"], [b"c\xff"]], Found("a,b,c\udcff")),
        ([[]], Found("")),
        ([], ABSENT),
        ([[b"x"]] * (ENTRIES_MAX + 1), Unavailable("the answer is too long")),
    ],
)
async def test_entries(entries: Sequence[Sequence[bytes]], answer: Answer) -> None:
    making = Making({"(mail=ann@l.example)": entries})
    directory = Directory(SEARCH, making)
    assert await directory.ask("Ann@L.example") == answer
    assert await directory.ask("bob") == ABSENT
    assert len(making.made) == 1
    directory.close()
    assert making.made[0].is_closed


async def test_a_kept_connection_that_was_closed_is_made_again() -> None:
    making = Making({"(mail=a)": [[b"1"]]})
    directory = Directory(SEARCH, making)
    await directory.ask("a")
    making.made[0].is_down = True
    assert await directory.ask("a") == Found("1")
    assert [one.is_closed for one in making.made] == [True, False]


async def test_a_directory_that_is_down_is_not_a_key_that_is_not_there() -> None:
    making = Making(is_down=True)
    directory = Directory(SEARCH, making)
    for _ in range(2):
        assert await directory.ask("a") == Unavailable("ConnectionResetError: gone")
    assert [one.is_closed for one in making.made] == [True, True]


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ann@l.example", "(&(uid=ann)(dc=l.example)(mail=ann@l.example))"),
        ("a*(b)\\c\0@l", "(&(uid=a\\2a\\28b\\29\\5cc\\00)(dc=l)(mail=a\\2a\\28b\\29\\5cc\\00@l))"),
        ("ann", "(&(uid=ann)(dc=)(mail=ann))"),
        (":key@l", "(&(uid=:key)(dc=l)(mail=:key@l))"),
    ],
)
def test_no_key_changes_the_filter(key: str, text: str) -> None:
    assert Search("ldap://h", "", "(&(uid=:local_part)(dc=:domain)(mail=:key))").filter_for(key) == text


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ldap://ldap.l.example", True),
        ("ldap://127.0.0.1:389", False),
        ("ldap://[::1]", False),
        ("ldaps://ldap.l.example", False),
        ("ldapi://%2Frun%2Fldapi", False),
    ],
)
def test_what_crosses_a_network_is_encrypted(url: str, expected: bool) -> None:
    assert Search(url, "", "").needs_start_tls is expected


GOOD = 'url = "ldap://h"\nbase = "dc=l"\nfilter = "(mail=:key)"\n'
_NAMES = "needs base, filter, url, may have attribute, bind_dn, password, all texts"


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "users.toml"
    path.write_text(GOOD + 'attribute = "home"\nbind_dn = "cn=mtad"\npassword = "secret"\n')
    path.chmod(0o600)
    assert read_search(path) == Search("ldap://h", "dc=l", "(mail=:key)", "home", "cn=mtad", "secret")
    path.chmod(0o644)
    assert read_search(path) == Wrong((Line(1, "has a password in it and is open to others: chmod 600"),))
    assert read_search(tmp_path / "none") == Wrong((Line(1, "cannot be read: No such file or directory"),))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("url", "is not TOML: Expected '=' after a key in a key/value pair (at end of document)"),
        ('url = "ldap://h"', _NAMES),
        (GOOD + "attribute = 1", _NAMES),
        (GOOD + 'scope = "one"', _NAMES),
        (GOOD.replace("ldap:", "http:"), "url begins with none of ldap://, ldaps://, ldapi://"),
        (GOOD.replace(":key", "ann"), "filter asks for no :key, :local_part or :domain"),
        (GOOD + 'bind_dn = "cn=mtad"', "bind_dn and password go together"),
    ],
)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "users.toml").write_text(text)
    assert read_search(tmp_path / "users.toml") == Wrong((Line(1, why),))

"""Maps against Postfix: what `postmap` makes, and what it answers to the same keys of the same files."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from pathlib import Path

import pytest

from mtad.config.forms import MapSource
from mtad.maps.answer import ABSENT, Answer, Asked, AtOnce, Found, Unavailable
from mtad.maps.shelf import Shelf, build_shelf
from tests.fakes.map_servers import netstring, serving_lines, serving_socketmap
from tests.peers.process import program
from tests.peers.slapd import ADMIN, BASE, PASSWORD, PYTHON_LDAP, slapd

pytestmark = pytest.mark.peer

KEYS_COUNT = 400
_WORDS = (
    "ann",
    "bob",
    "Carol",
    "dave+x",
    "a b",
    "x" * 300,
    "\u00e9t\u00e9",
    "ann@l.example",
    "BOB@L.EXAMPLE",
    "#x",
    "%20",
)

TABLE = """
# Users.
ann     one two
bob@l.example  three,
   four
Carol    $1
été      é
"a b"    quoted
"a b"@x  quoted address
"""
NETWORKS = """
192.0.2.7       itself
192.0.2.0/24    a net
192.0.2.128/25  never
198.51.100.128/25 half
198.51.100.0/24 rest
2001:db8:1::/48 six
::ffff:0:0/96   mapped
10.0.0.0/8      ten
"""
PATTERNS = r"""
/^(.+)\+(.*)$/      $1 and ${2}
/^Ann$/i            exactly Ann
/^ann/              $$ann
|@(l\.example)$|    $(1)
/^[a-c]/            among
/(x{3}|e)?b$/       ends
"""


def postmap(folder: Path, *arguments: str, given: str = "") -> str:
    """Run postmap with a configuration of its own."""
    (folder / "main.cf").touch()
    done = subprocess.run(
        [program("postmap"), "-c", str(folder), *arguments],
        input=given,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode in (0, 1), done.stderr  # 1: a key was not there
    assert "fatal" not in done.stderr, done.stderr
    return done.stdout


def said(folder: Path, source: str, keys: list[str]) -> dict[str, str]:
    """Return what Postfix has for keys, asked all at once."""
    lines = postmap(folder, "-q", "-", source, given="".join(f"{key}\n" for key in keys)).splitlines()
    return dict(line.split("\t", 1) for line in lines)


def words() -> list[str]:
    chance = random.Random(1)
    letters = "abcxAnN+@.l- "
    made = ("".join(chance.choices(letters, k=chance.randint(1, 8))).strip() or "a" for _ in range(KEYS_COUNT))
    return list(dict.fromkeys((*_WORDS, *made)))


def addresses() -> list[str]:
    chance = random.Random(2)
    nets = ("192.0.2.", "198.51.100.", "203.0.113.", "10.1.2.")
    made = [f"{chance.choice(nets)}{chance.randint(0, 255)}" for _ in range(KEYS_COUNT)]
    made += [f"2001:db8:{chance.randint(0, 2)}::{chance.randint(0, 9)}" for _ in range(20)]
    return list(dict.fromkeys(made))


@pytest.mark.parametrize(
    ("kind", "theirs", "text", "keys"),
    [
        ("file", "texthash", TABLE, words()),
        ("lmdb", "lmdb", TABLE, words()),
        ("cidr", "cidr", NETWORKS, addresses()),
        ("regexp", "regexp", PATTERNS, words()),
    ],
    ids=("file", "lmdb", "cidr", "regexp"),
)
def test_the_same_files_give_the_same_answers(
    tmp_path: Path, kind: str, theirs: str, text: str, keys: list[str]
) -> None:
    path = tmp_path / "map"
    path.write_text(text)
    if kind == "lmdb":
        postmap(tmp_path, f"lmdb:{path}")
    shelf = build_shelf({"m": MapSource(kind, str(path))})
    assert shelf.unusable == ()
    ours = shelf.maps["m"]
    assert isinstance(ours, AtOnce)
    found = {key: answer.value for key in keys if isinstance(answer := ours.get(key), Found)}
    shelf.release()
    assert len(found) > 3
    assert found == said(tmp_path, f"{theirs}:{path}", keys)


KNOWN = {"ann": "one two", "a b": "x%y", "\u00e9": "\u00e9"}


def by_netstring(question: bytes) -> bytes:
    name, _, key = question.decode().partition(" ")
    return netstring(f"OK {KNOWN[key]}".encode() if name == "users" and key in KNOWN else b"NOTFOUND ")


def by_line(question: bytes) -> bytes:
    key = question.decode().removeprefix("get ").replace("%20", " ").replace("%C3%A9", "\u00e9")
    return f"200 {KNOWN[key].replace('%', '%25')}\n".encode() if key in KNOWN else b"500 no\n"


async def test_other_programs_maps_are_asked_as_postfix_asks_them(tmp_path: Path) -> None:
    async with serving_socketmap(by_netstring) as netstrings, serving_lines(by_line) as lines:
        sources = {
            "socketmap": f"inet:127.0.0.1:{netstrings.port}:users",
            "tcp": f"127.0.0.1:{lines.port}",
        }
        shelf = build_shelf({kind: MapSource(kind, where) for kind, where in sources.items()})
        for (kind, where), server in zip(sources.items(), (netstrings, lines), strict=True):
            ours = shelf.maps[kind]
            assert isinstance(ours, Asked)
            for key in (*KNOWN, "none"):
                expected: Answer = Found(KNOWN[key]) if key in KNOWN else ABSENT
                assert await ours.ask(key) == expected
                theirs = await asyncio.to_thread(postmap, tmp_path, "-q", key, f"{kind}:{where}")
                assert theirs == (f"{KNOWN[key]}\n" if key in KNOWN else "")
                assert server.questions[-2] == server.questions[-1]
        shelf.release()


async def test_a_directory_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, PYTHON_LDAP])  # the last: what is in the venv comes first
    path = tmp_path / "users.toml"

    def directory(port: int, password: str, attribute: str = "Title") -> Shelf:
        path.write_text(
            f'url = "ldap://127.0.0.1:{port}"\nbase = "{BASE}"\nfilter = "(mail=:key)"\nattribute = "{attribute}"\n'
            f'bind_dn = "{ADMIN}"\npassword = "{password}"\n'
        )
        path.chmod(0o600)
        shelf = build_shelf({"m": MapSource("ldap", str(path))})
        assert shelf.unusable == ()
        return shelf

    async def ask(shelf: Shelf, key: str) -> Answer:
        users = shelf.maps["m"]
        assert isinstance(users, Asked)
        return await users.ask(key)

    with slapd({"ann@l.example": "one two", "bob@l.example": "three"}) as port:
        shelf = directory(port, PASSWORD)
        assert await ask(shelf, "Ann@L.example") == Found("one two")
        assert await ask(shelf, "carol@l.example") == ABSENT
        assert await ask(shelf, "*@l.example") == ABSENT
        nameless = directory(port, PASSWORD, "displayName")
        assert await ask(nameless, "bob@l.example") == Found("")
        refused = await ask(directory(port, "wrong"), "ann@l.example")
        assert isinstance(refused, Unavailable)
        assert refused.why.startswith("INVALID_CREDENTIALS")
    gone = await ask(shelf, "ann@l.example")
    assert isinstance(gone, Unavailable)
    assert gone.why.startswith("SERVER_DOWN")
    shelf.release()
    nameless.release()

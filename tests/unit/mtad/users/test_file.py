"""The users file: what is read of it, and what keeps it from being used."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.users.file import BadUsers, UsersFile, empty_file, fold, parse, read
from tests.fakes.users import user, write_users

PATH = Path("users")
ALICE = user("alice@here.example", "pencil")
SALTS = "@secret " + "QUJD" * 11
LINE = f"{ALICE.name} {ALICE.argon2} {ALICE.scram}"


def parsed(text: str) -> UsersFile:
    found = parse(text, PATH)
    assert isinstance(found, UsersFile), found
    return found


def test_is_read_as_written() -> None:
    bob = user("bob", "eraser")
    file = UsersFile(b"x" * 32, {ALICE.name: ALICE, bob.name: bob})
    assert parsed(str(file)) == file
    assert parsed(str(empty_file())).users == {}
    assert ALICE.argon2 not in repr(file)


def test_comments_blanks_and_case() -> None:
    found = parsed(f"\n# who\n{SALTS}\n  {LINE.replace('alice', 'Alice')} \r\n#x\n")
    assert list(found.users) == ["alice@here.example"]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (LINE, 0, "has no line @secret; `mtactl user add` writes a file that has one"),
        (f"@secret QUJD\n{LINE}", 1, "@secret needs 32 octets in base64"),
        (f"@secret !\n{LINE}", 1, "@secret needs 32 octets in base64"),
        (f"{SALTS}\n{LINE}\n{LINE.upper()[:18]}{LINE[18:]}", 3, "alice@here.example is there already"),
        (f"{SALTS}\nalice secret", 2, "a user's line has a name, an argon2 hash and a SCRAM verifier"),
        (f"{SALTS}\n@{LINE}", 2, "does not begin with a user's name"),
        (f"{SALTS}\nalice secret {ALICE.scram}", 2, "the second word is no argon2 hash"),
        (f"{SALTS}\nalice {ALICE.argon2} secret", 2, "the third word is no SCRAM-SHA-256 verifier"),
    ],
)
def test_what_is_wrong_is_told(text: str, line: int, why: str) -> None:
    assert parse(text, PATH) == BadUsers(PATH, line, why)


@pytest.mark.parametrize("mode", [0o604, 0o660, 0o610, 0o602])
def test_is_not_used_when_others_may_touch_it(mode: int, tmp_path: Path) -> None:
    path = tmp_path / "users"
    write_users(path, alice="pencil")
    assert isinstance(read(path), UsersFile)
    path.chmod(mode)
    assert str(read(path)) == f"{path}: is open to others (mode {mode:04o})"
    path.chmod(0o640)
    assert isinstance(read(path), UsersFile)


def test_is_not_used_when_it_cannot_be_read(tmp_path: Path) -> None:
    assert str(read(tmp_path / "none")) == f"{tmp_path}/none: cannot be read: No such file or directory"
    path = tmp_path / "users"
    path.write_bytes(b"# who\n\xff\n")
    path.chmod(0o600)
    assert str(read(path)) == f"{path}:2: is not UTF-8"


@pytest.mark.parametrize(
    ("name", "folded"),
    [("Alice@Here.Example", "alice@here.example"), ("J\u00fcrgen", "j\u00fcrgen"), ("a" * 255, "a" * 255)],
)
def test_names_are_compared_without_case(name: str, folded: str) -> None:
    assert fold(name) == folded


@pytest.mark.parametrize("name", ["", "a b", "@alice", "#alice", "a\tb", "a" * 256, "\u00e4" * 128])
def test_what_is_no_name(name: str) -> None:
    assert fold(name) is None

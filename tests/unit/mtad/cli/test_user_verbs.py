"""`mtactl user`: changes the users file, tells what it did, and never takes a password from the command line."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mtad.cli.mtactl import app
from mtad.users.file import UsersFile, read
from mtad.users.verifier import fits_argon2
from tests.fakes.users import user, write_users

TOML = """\
[node]
name = "one"
id = 1
hostname = "one.here.example"
domains = ["here.example"]
[smtp]
listen = ["127.0.0.1:25"]
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mtad.toml"
    path.write_text(TOML + 'users = "users"\n')
    monkeypatch.setenv("MTAD_CONFIG", str(path))
    return path


@pytest.fixture
def users(config: Path) -> Path:
    write_users(config.with_name("users"), alice="pencil")
    return config.with_name("users")


def run(*arguments: str, said: str = "") -> Result:
    return CliRunner().invoke(app, ["user", *arguments], input=said, catch_exceptions=False)


def kept(path: Path) -> UsersFile:
    found = read(path)
    assert isinstance(found, UsersFile)
    return found


def test_add_begins_the_file(config: Path) -> None:
    path = config.with_name("users")
    result = run("add", "Alice@Here.Example", said="pencil sharpener\n")
    assert (result.exit_code, result.stdout) == (0, "Added alice@here.example.\n")
    added = kept(path).users["alice@here.example"]
    assert fits_argon2(added.argon2, "pencil sharpener")
    assert path.stat().st_mode & 0o007 == 0


def test_add_does_not_replace_a_user(users: Path) -> None:
    before = users.read_bytes()
    result = run("add", "alice@here.example", said="other\n")
    assert result.exit_code == 1
    assert result.stdout.startswith("Refused: alice@here.example is there already")
    assert users.read_bytes() == before


def test_passwd(users: Path) -> None:
    result = run("passwd", "ALICE@here.example", "--json", said="other\r\n")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {"verb": "passwd", "done": True, "name": "alice@here.example", "refused": ""}
    changed = kept(users).users["alice@here.example"]
    assert fits_argon2(changed.argon2, "other")
    assert changed.scram != user("alice@here.example", "pencil").scram


@pytest.mark.parametrize("verb", ["passwd", "delete"])
def test_of_somebody_else(verb: str, users: Path) -> None:
    result = run(verb, "carol", "--json", said="other\n")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["refused"] == "carol is no user"


def test_delete_and_list(users: Path) -> None:
    assert run("add", "bob", said="eraser\n").exit_code == 0
    assert run("list").stdout == "alice@here.example\nbob\n"
    assert run("list", "--json").stdout == '{"name": "alice@here.example"}\n{"name": "bob"}\n'
    assert run("delete", "alice@here.example").stdout == "Deleted alice@here.example.\n"
    assert list(kept(users).users) == ["bob"]


def test_list_before_there_are_any(config: Path) -> None:
    assert (run("list").exit_code, run("list").stdout) == (0, "")


def test_list_says_what_is_wrong(users: Path) -> None:
    users.chmod(0o644)
    result = run("list")
    assert (result.exit_code, result.stderr) == (1, f"mtactl: {users}: is open to others (mode 0644)\n")


@pytest.mark.parametrize("said", ["", "\n", "x" * 1001 + "\n", "a\x07b\n"])
def test_what_is_no_password(said: str, users: Path) -> None:
    result = run("passwd", "alice@here.example", said=said)
    assert result.exit_code == 2
    assert "cannot be a password" in result.stderr
    assert fits_argon2(kept(users).users["alice@here.example"].argon2, "pencil")


def test_what_is_no_name(users: Path) -> None:
    result = run("add", "a b", said="pencil\n")
    assert result.exit_code == 2
    assert "'a b' cannot be a user's name" in result.stderr


@pytest.mark.parametrize("answers", [("eraser", "eraser"), ("a", "b", "eraser", "eraser")])
def test_asks_twice_at_a_terminal(answers: tuple[str, ...], users: Path) -> None:
    """A terminal of its own, each answer given when it is asked for: what was typed before is thrown away."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "mtad.cli", "user", "passwd", "alice@here.example"]
    with subprocess.Popen(
        command,
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # so that the prompt finds no other terminal
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        os.close(slave)
        try:
            for answer in answers:
                told = b""
                while not told.endswith((b"Password: ", b"Repeat for confirmation: ")):
                    octet = process.stderr.read(1)
                    assert octet, told
                    told += octet
                os.write(master, answer.encode() + b"\n")
            assert process.stdout.read() == b"Changed the password of alice@here.example.\n"
            assert process.wait(60) == 0
        finally:
            os.close(master)  # ends the command where it still asks
    assert fits_argon2(kept(users).users["alice@here.example"].argon2, "eraser")


def test_without_a_users_file_in_the_configuration(config: Path) -> None:
    config.write_text(TOML)
    result = run("list")
    assert result.exit_code == 2
    assert "names no users file" in result.stderr


def test_with_a_configuration_that_is_not_good(config: Path) -> None:
    config.write_text("[node]")
    assert run("list").exit_code == 2


def test_a_folder_that_cannot_be_written(config: Path) -> None:
    config.write_text(TOML + 'users = "none/users"\n')
    result = run("add", "alice", said="pencil\n")
    assert result.exit_code == 1
    assert "No such file or directory" in result.stdout

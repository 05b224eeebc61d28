"""The command `mtad witness`: what `mtad init --witness` writes for it, and what it refuses to start with."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mtad.config.read import read
from mtad.config.settings import Settings
from mtad.main.command import app
from mtad.main.queue_assembly import node_settings
from replicator.core.values import Mode


def mtad(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "n"
    arguments = ("--hostname", "mx1.example.org", "--domain", "example.org", "--peer", "mx2=192.0.2.2")
    assert mtad("init", str(made), *arguments, "--witness", "w=192.0.2.3:7252").exit_code == 0
    return made


def witness(folder: Path, *more: str, name: str = "w") -> list[str]:
    members = ["--member", "mx1", "--member", "mx2"]
    return ["witness", "--dir", str(folder), "--name", name, "--listen", "127.0.0.1:0", *members, *more]


def test_init_writes_the_witness_into_both_nodes_settings(folder: Path) -> None:
    for path in (folder / "mtad.toml", folder / "for-mx2" / "mtad.toml"):
        settings = read(path)
        assert isinstance(settings, Settings)
        told = node_settings(settings)
        assert (told.authority, told.witness_name, told.witness_address) == (Mode.WITNESS, "w", "192.0.2.3:7252")
        assert (told.lease_seconds, told.ask_after_seconds) == (3.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--witness", "w=192.0.2.3:7252"), "give --peer with it"),
        (("--witness", "w", "--peer", "mx2=192.0.2.2"), "allowed: NAME=HOST:PORT"),
        (("--witness", "mx2=192.0.2.3:1", "--peer", "mx2=192.0.2.2"), "is another's name already"),
    ],
)
def test_init_refuses_a_witness_that_cannot_be(tmp_path: Path, arguments: tuple[str, ...], complaint: str) -> None:
    made = str(tmp_path / "n")
    result = mtad("init", made, "--hostname", "mx1.example.org", "--domain", "example.org", *arguments)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_it_serves_until_it_is_told_to_end(folder: Path) -> None:
    arguments = [sys.executable, "-m", "mtad.main", *witness(folder / "for-w")]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        assert "witness.started" in line
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_it_does_not_start_with_anothers_certificate(folder: Path) -> None:
    made = folder / "for-w"
    for suffix in ("pem", "key"):
        (made / f"x.{suffix}").write_bytes((made / f"w.{suffix}").read_bytes())
    result = mtad(*witness(made, name="x"))
    assert result.exit_code == 1
    assert "is for w, localhost" in result.stderr


def test_it_does_not_start_with_a_key_that_others_can_read(folder: Path) -> None:
    key = folder / "for-w" / "w.key"
    key.chmod(0o644)
    result = mtad(*witness(folder / "for-w"))
    assert result.exit_code == 1
    assert result.stderr == f"mtad: {key} is open to others (mode 0644); chmod 600 {key}\n"


def test_it_does_not_start_where_another_listens(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        arguments = witness(folder / "for-w", "--listen", address)
        ended = subprocess.run(
            [sys.executable, "-m", "mtad.main", *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    assert ended.returncode == 1
    assert f"cannot listen on {address}: Address already in use\n" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--listen", "7999"), "--listen '7999' has no port"),
        (("--listen", ":7999"), "--listen ':7999' does not begin with an IP address"),
        (("--listen", "localhost:7999"), "does not begin with an IP address; allowed: an IP address and a port"),
        (("--member", "mx3"), "give --member twice"),
        (("--name", "mx1"), "--name 'mx1' is a node's own name"),
    ],
)
def test_what_is_asked_for_is_looked_at_first(folder: Path, arguments: tuple[str, ...], complaint: str) -> None:
    result = mtad(*witness(folder / "for-w", *arguments))
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_one_member_is_no_pair(folder: Path) -> None:
    result = mtad("witness", "--dir", str(folder / "for-w"), "--name", "w", "--listen", "[::1]:0", "--member", "mx1")
    assert result.exit_code == 2
    assert "--member mx1: a witness serves the two nodes of a pair" in result.stderr


def test_it_does_not_start_without_its_files(tmp_path: Path) -> None:
    result = mtad(*witness(tmp_path))
    assert result.exit_code == 1
    assert "mtad init --witness" in result.stderr

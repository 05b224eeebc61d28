"""The command `mtad`: exit codes, and that nothing starts that should not."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mtad.config.settings import Settings
from mtad.lab import laboratory
from mtad.main import supervisor
from mtad.main.command import app
from mtad.main.version import VERSION


def mtad(*arguments: str, text: str = "") -> Result:
    return CliRunner().invoke(app, list(arguments), input=text, catch_exceptions=False)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, Settings]]:
    """What would have been started."""
    taken: list[tuple[Path, Settings]] = []

    def run(config_path: Path, settings: Settings) -> int:
        taken.append((config_path, settings))
        return 0

    monkeypatch.setattr(supervisor, "run", run)
    return taken


def init(folder: Path) -> Result:
    return mtad(
        "init", str(folder), "--hostname", "mx1.example.org", "--domain", "example.org", "--listen", "127.0.0.1:0"
    )


def test_version() -> None:
    assert mtad("--version").stdout == f"mtad {VERSION}\n"


@pytest.mark.parametrize("arguments", [(), ("frob",), ("run", "--frob"), ("init",)])
def test_usage(arguments: tuple[str, ...]) -> None:
    assert mtad(*arguments).exit_code == 2


def test_what_init_writes_runs(tmp_path: Path, started: list[tuple[Path, Settings]]) -> None:
    result = init(tmp_path / "n")
    assert result.exit_code == 0
    assert "example.org. IN MX 10 mx1.example.org." in result.stdout.splitlines()
    assert result.stdout.splitlines()[-1] == f"Then: mtad run --config {tmp_path}/n/mtad.toml"
    result = mtad("run", "--config", str(tmp_path / "n/mtad.toml"))
    assert result.exit_code == 0
    assert result.stderr.startswith("warn replication: no pair")
    ((path, settings),) = started
    assert (path, settings.node.hostname) == (tmp_path / "n/mtad.toml", "mx1.example.org")


def test_init_asks_for_what_is_not_given(tmp_path: Path) -> None:
    result = mtad("init", str(tmp_path), text="mx1.example.org\nexample.org\n")
    assert result.exit_code == 0
    assert 'domains = ["example.org"]' in (tmp_path / "mtad.toml").read_text()


@pytest.mark.parametrize(("text", "option"), [("", "--hostname"), ("mx1.example.org\n", "--domain")])
def test_init_without_an_answer(tmp_path: Path, text: str, option: str) -> None:
    result = mtad("init", str(tmp_path), text=text)
    assert (result.exit_code, f"mtad: give {option}; nothing was written\n" in result.stderr) == (2, True)
    assert list(tmp_path.iterdir()) == []


def test_init_overwrites_nothing(tmp_path: Path) -> None:
    (tmp_path / "mtad.toml").write_text("kept")
    result = init(tmp_path)
    assert (result.exit_code, result.stderr) == (2, f"mtad: {tmp_path}/mtad.toml exists and is not overwritten\n")
    assert (tmp_path / "mtad.toml").read_text() == "kept"


def test_init_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = init(tmp_path / "file" / "n")
    assert (result.exit_code, result.stderr) == (2, f"mtad: {tmp_path}/file/n: Not a directory\n")


def test_init_says_all_that_it_does_not_understand(tmp_path: Path) -> None:
    result = mtad("init", str(tmp_path), "--hostname", "mx1", "--domain", "a_b")
    assert result.exit_code == 2
    assert [line.split("'")[0] for line in result.stderr.splitlines()] == ["mtad: --hostname ", "mtad: --domain "]
    assert list(tmp_path.iterdir()) == []


def test_a_configuration_that_is_not_good(tmp_path: Path, started: list[tuple[Path, Settings]]) -> None:
    path = tmp_path / "mtad.toml"
    path.write_text("[node]\nid = 99\n")
    result = mtad("run", "--config", str(path))
    assert result.exit_code == 2
    assert f"{path}:2: node.id 99 is too large" in result.stderr
    assert f"{path}: smtp is missing" in result.stderr
    assert started == []


def test_checks_that_fail_are_all_told(tmp_path: Path, started: list[tuple[Path, Settings]]) -> None:
    init(tmp_path)
    (tmp_path / "keys/dkim.key").chmod(0o644)
    (tmp_path / "policy.sieve").write_text("frob")
    result = mtad("run", "--config", str(tmp_path / "mtad.toml"))
    assert result.exit_code == 1
    assert "fail dkim m" in result.stderr
    assert f"     mend: chmod 600 {tmp_path}/keys/dkim.key\n" in result.stderr
    assert f"fail policy: {tmp_path}/policy.sieve:1" in result.stderr
    assert result.stderr.endswith("mtad does not start: mend what failed above.\n")
    assert started == []


def test_without_a_dkim_key_nothing_starts(tmp_path: Path, started: list[tuple[Path, Settings]]) -> None:
    init(tmp_path)
    text = (tmp_path / "mtad.toml").read_text()
    start, end = text.index("[[dkim.keys]]"), text.index("# Without a [replication]")
    (tmp_path / "mtad.toml").write_text(text[:start] + text[end:])
    result = mtad("run", "--config", str(tmp_path / "mtad.toml"))
    assert (result.exit_code, "fail dkim: no DKIM key is configured" in result.stderr) == (1, True)
    assert started == []


@pytest.mark.parametrize(("arguments", "is_demo"), [((), False), (("--demo",), True)])
def test_lab_ends_with_the_laboratorys_code(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], is_demo: bool
) -> None:
    asked: list[bool] = []

    def main(demo: bool) -> int:
        asked.append(demo)
        return 7

    monkeypatch.setattr(laboratory, "main", main)
    assert mtad("lab", *arguments).exit_code == 7
    assert asked == [is_demo]

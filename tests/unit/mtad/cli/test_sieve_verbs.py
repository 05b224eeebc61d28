"""`mtactl sieve check`: what it says of good and of bad scripts."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from mtad.admission.policy import DEFAULT_POLICY
from mtad.cli.mtactl import app


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sieve", "check", *arguments], catch_exceptions=False)


def test_the_built_in_policy_is_good() -> None:
    result = check(str(DEFAULT_POLICY))
    assert (result.exit_code, result.stdout) == (0, f"{DEFAULT_POLICY} is good.\n")


def test_every_error_of_every_file_is_told(tmp_path: Path) -> None:
    first, second = tmp_path / "a.sieve", tmp_path / "b.sieve"
    first.write_text("frob;")
    second.write_text('require "nonsense";')
    result = check(str(first), str(DEFAULT_POLICY), str(second), str(tmp_path / "none.sieve"))
    assert result.exit_code == 1
    starts = (f"{first}:1:1: ", f"{second}:1:9: ", f"{tmp_path}/none.sieve:1:1: ", f"{DEFAULT_POLICY} is good.")
    for line, start in zip(result.stdout.splitlines(), starts, strict=True):
        assert line.startswith(start)


def test_errors_as_json(tmp_path: Path) -> None:
    script = tmp_path / "a.sieve"
    script.write_text("frob;")
    result = check(str(script), "--json")
    told = json.loads(result.stdout)
    assert (result.exit_code, told["ok"], told["files"]) == (1, False, [str(script)])
    assert [(each["file"], each["line"], each["column"]) for each in told["errors"]] == [(str(script), 1, 1)]
    assert told["errors"][0]["text"]


def test_no_file_is_usage() -> None:
    assert check().exit_code == 2

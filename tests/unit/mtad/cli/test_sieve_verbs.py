"""`mtactl sieve check`: what it says of good and of bad scripts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from dns.resolver import NoResolverConfiguration
from typer.testing import CliRunner, Result

from mtad.admission.policy import DEFAULT_POLICY
from mtad.cli import configured
from mtad.cli.mtactl import app
from mtad.dns.resolver import Resolver
from mtad.rehearsal.lookups import PlayedNames


def check(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sieve", "check", *arguments], catch_exceptions=False)


def run_tests(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["sieve", "test", *arguments], catch_exceptions=False)


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


def test_what_this_version_lacks_is_a_warning(tmp_path: Path) -> None:
    script = tmp_path / "a.sieve"
    script.write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.sign"];\nstage "data" { seal :domain "l.example" :selector "s"; }\n'
    )
    result = check(str(script))
    warning = f"{script}: warning: it asks `seal`, which this version cannot answer\n"
    assert (result.exit_code, result.stdout) == (0, f"{warning}{script} is good.\n")
    told = json.loads(check(str(script), "--json").stdout)
    assert (told["ok"], told["warnings"]) == (True, [{"file": str(script), "lacks": "seal"}])


def test_the_maps_of_a_configuration(tmp_path: Path) -> None:
    script, config = tmp_path / "a.sieve", tmp_path / "mtad.toml"
    script.write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.lookup"];\nstage "mail" { if lookup "map:users" "a" { stop; } }\n'
    )
    config.write_text(
        '[node]\nname = "a"\nid = 1\nhostname = "mx.l.example"\ndomains = ["l.example"]\n'
        '[smtp]\nlisten = ["127.0.0.1:25"]\n[policy.maps]\nusers = "file:users"\n'
    )
    result = check(str(script), "--config", str(config))
    assert result.exit_code == 1
    assert f"{tmp_path}/users:1:1: map users: cannot be read" in result.stdout
    (tmp_path / "users").write_text("a 1\n")
    assert check(str(script), "--config", str(config)).exit_code == 0
    config.write_text(config.read_text().replace("users =", "others ="))
    result = check(str(script), "--config", str(config))
    assert (result.exit_code, result.stdout) == (
        1,
        f'{script}:2:26: there is no map "users" in policy.maps of mtad.toml\n',
    )
    config.write_text("[node")
    assert check(str(script), "--config", str(config)).exit_code == 2


def test_the_programs_of_a_configuration(tmp_path: Path) -> None:
    script, config = tmp_path / "a.sieve", tmp_path / "mtad.toml"
    script.write_text('require ["vnd.mtad.stage", "vnd.dovecot.execute"];\nstage "mail" { execute "look"; }\n')
    config.write_text(
        '[node]\nname = "a"\nid = 1\nhostname = "mx.l.example"\ndomains = ["l.example"]\n'
        '[smtp]\nlisten = ["127.0.0.1:25"]\n[programs]\nfolder = "programs"\n'
    )
    program = tmp_path / "programs" / "look"
    program.parent.mkdir(mode=0o755)
    result = check(str(script), "--config", str(config))
    told = f'{script}:2:24: program "look": {program}: No such file or directory\n'
    assert (result.exit_code, result.stdout) == (1, told)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert check(str(script), "--config", str(config)).exit_code == 0
    message = tmp_path / "m.eml"
    message.write_bytes(b"Subject: x\r\n\r\n")
    call = ["sieve", "trace", str(script), "--message", str(message), "--from", "a@d.example", "--to", "b@l.example"]
    call += ["--config", str(config)]
    unrun = CliRunner().invoke(app, call, catch_exceptions=False)
    assert (unrun.exit_code, "program: look is broken: programs are run with --programs alone" in unrun.stdout) == (
        1,
        True,
    )
    run = CliRunner().invoke(app, [*call, "--programs"], catch_exceptions=False)
    assert (run.exit_code, "      program: look is status 0 (" in run.stdout) == (0, True)


def test_no_file_is_usage() -> None:
    assert check().exit_code == 2


SUITE = 'require "vnd.dovecot.testsuite";\n'
GOOD = SUITE + 'test "good" { }\n'
BAD = SUITE + 'test "good" { }\ntest "bad" {\n    test_fail "why";\n}\n'


def test_tests_that_pass(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.svtest").write_text(GOOD)
    (tmp_path / "a.svtest").write_text(GOOD)
    result = run_tests(str(tmp_path))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"ok   {tmp_path}/a.svtest (1 test)",
        f"ok   {tmp_path}/deep/b.svtest (1 test)",
        "2 tests, 0 wrong; 2 files, 0 not good.",
    ]


def test_a_failure_is_told_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "a.svtest"
    path.write_text(BAD)
    result = run_tests(str(path))
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"FAIL {path} (2 tests)",
        '     test "bad" at line 3',
        f"       {path}:4: why",
        "2 tests, 1 wrong; 1 file, 1 not good.",
    ]


def test_what_must_fail_and_passes(tmp_path: Path) -> None:
    path = tmp_path / "a.svtest"
    path.write_text(BAD)
    result = run_tests("-F", str(path))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:3] == ['     test "good" at line 2', "       passed, and must fail"]


def test_a_file_with_mistakes_and_one_without_tests(tmp_path: Path) -> None:
    (tmp_path / "a.svtest").write_text(SUITE + "frob;")
    (tmp_path / "b.svtest").write_text(SUITE)
    result = run_tests(str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1].startswith(f"     {tmp_path}/a.svtest:2:1: ")
    assert result.stdout.splitlines()[3] == "     nothing is tested"


def test_tests_as_json(tmp_path: Path) -> None:
    path = tmp_path / "a.svtest"
    path.write_text(BAD)
    result = run_tests("--json", str(path))
    assert result.exit_code == 1
    good = {"name": "good", "line": 2, "ok": True, "failed_line": None, "reason": ""}
    bad = {"name": "bad", "line": 3, "ok": False, "failed_line": 4, "reason": "why"}
    told = {"file": str(path), "ok": False, "errors": [], "tests": [good, bad]}
    assert json.loads(result.stdout) == {"ok": False, "files": [told]}


def test_dialogs_stand_beside_tests(tmp_path: Path) -> None:
    (tmp_path / "p.sieve").write_text('require "vnd.mtad.stage";')
    (tmp_path / "a.svtest").write_text(GOOD)
    (tmp_path / "b.txt").write_text("# Says hello.\nGiven: policy = p.sieve\nS: 421 *\n")
    (tmp_path / "c.other").write_text("")
    result = run_tests(str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:3] == [f"FAIL {tmp_path}/b.txt (1 test)", '     test "Says hello." at line 1']
    assert "d.txt: no such file or folder" in run_tests(str(tmp_path / "d.txt")).stdout
    assert "neither .svtest nor .txt" in run_tests(str(tmp_path / "c.other")).stdout


def test_a_folder_without_tests_is_usage(tmp_path: Path) -> None:
    assert run_tests(str(tmp_path)).exit_code == 2


TRACED = """require ["vnd.mtad.stage", "vnd.mtad.verdict", "environment", "envelope", "vnd.mtad.lookup"];
stage "rcpt" {
    if allof (environment "vnd.mtad.helo" "evil", envelope "to" "a@l.example") {
        ereject "Go away";
    }
}
"""


def follow(folder: Path, policy: str, *more: str) -> Result:
    (folder / "p.sieve").write_text(policy)
    (folder / "m.eml").write_bytes(b"Subject: hello\r\n\r\n")
    words = ["p.sieve", "--message", "m.eml", "--from", "s@d.example", "--to", "a@l.example", *more]
    return CliRunner().invoke(app, ["sieve", "trace", *words], catch_exceptions=False)


def test_a_message_is_followed_line_by_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = follow(tmp_path, TRACED, "--to", "b@l.example", "--helo", "evil", "--domain", "l.example")
    assert result.exit_code == 0
    shown = result.stdout.split("rcpt ")
    assert shown[0].splitlines()[0] == "connect"
    refused = 'if allof (environment "vnd.mtad.helo" "evil", envelope "to" "a@l.example") {'
    assert shown[1].splitlines() == [
        "a@l.example",
        f'  p.sieve:3: environment is true of "evil"    | {refused}',
        f'  p.sieve:3: envelope is true of "a@l.example"    | {refused}',
        f"  p.sieve:3: allof is true    | {refused}",
        '  p.sieve:4: ereject    | ereject "Go away";',
        "  -> result: reject; code: 550; enhanced: 5.7.1; text: Go away; disconnect: no",
    ]
    assert "deliver b@l.example" in shown[2]


def test_a_message_is_followed_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = json.loads(follow(tmp_path, TRACED, "--helo", "evil", "--json").stdout)["stages"]
    assert [one["stage"] for one in told] == ["connect", "ehlo", "mail", "rcpt"]
    last = {"file": "p.sieve", "line": 4, "name": "ereject", "value": None, "compared": [], "facts": []}
    assert told[-1]["steps"][-1] == last
    assert told[-1]["answer"]["code"] == ["550"]


def test_what_cannot_be_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert (mistaken := follow(tmp_path, "frob;")).exit_code == 1
    assert "p.sieve:1:1" in mistaken.stderr
    assert follow(tmp_path, TRACED, "--message", "none.eml").exit_code == 2


@pytest.mark.parametrize(
    ("option", "value"),
    [("--client", "client.example"), ("--listener", "submision"), ("--from", "a b"), ("--to", "b@"), ("--to", "<>")],
)
def test_what_no_client_brings_is_no_situation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = follow(tmp_path, TRACED, option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"Invalid value for {option}" in result.stderr


@pytest.mark.parametrize(("written", "sender"), [("<>", ""), ("", ""), ("<a@b.example>", "a@b.example")])
def test_paths_may_stand_in_brackets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, sender: str
) -> None:
    monkeypatch.chdir(tmp_path)
    policy = f'require ["vnd.mtad.stage", "envelope"]; stage "mail" {{ if envelope "from" "{sender}" {{ }} }}'
    assert "envelope is true" in follow(tmp_path, policy, "--from", written).stdout


CONFIGURED = """[node]
name = "one"
id = 1
hostname = "mx.l.example"
domains = ["l.example"]
data_dir = "data"
[smtp]
listen = ["127.0.0.1:2525"]
[policy]
file = "p.sieve"
[policy.maps]
users = "file:users"
[dns]
servers = ["127.0.0.1:5353"]
"""


def follow_configured(folder: Path, policy: str, *more: str) -> Result:
    (folder / "mtad.toml").write_text(CONFIGURED)
    (folder / "users").write_text("a@l.example\n")
    (folder / "p.sieve").write_text(policy)
    (folder / "m.eml").write_bytes(b"Subject: hello\r\n\r\n")
    words = ["--config", str(folder / "mtad.toml"), "--message", "m.eml", "--from", "s@d.example", *more]
    return CliRunner().invoke(app, ["sieve", "trace", *words], catch_exceptions=False)


def test_the_credentials_of_a_configuration(tmp_path: Path) -> None:
    script, config = tmp_path / "a.sieve", tmp_path / "mtad.toml"
    script.write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.route"];\nstage "deliver" { route :host "a" :auth "relay" "smtp"; }\n'
    )
    settings = (
        '[node]\nname = "a"\nid = 1\nhostname = "mx.l.example"\ndomains = ["l.example"]\n'
        '[smtp]\nlisten = ["127.0.0.1:25"]\n'
    )
    config.write_text(settings)
    result = check(str(script), "--config", str(config))
    assert result.exit_code == 1
    assert 'delivery.credentials of mtad.toml has no "relay"' in result.stdout
    config.write_text(settings + '[delivery.credentials]\nrelay = "relay.toml"\n')
    assert check(str(script), "--config", str(config)).exit_code == 0


def test_policy_domains_and_maps_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    policy = """require ["vnd.mtad.stage", "vnd.mtad.verdict", "extlists", "envelope"];
        stage "rcpt" { if not envelope :list "to" "map:users" { ereject "unknown"; } }"""
    result = follow_configured(tmp_path, policy, "--to", "a@l.example", "--to", "b@l.example")
    assert result.exit_code == 0, result.output
    assert "deliver a@l.example" in result.stdout
    assert "text: unknown" in result.stdout
    assert "deliver b@l.example" not in result.stdout


def test_dns_is_asked_when_that_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = PlayedNames()
    names.put("MX", "d.example", "10 mx.d.example")
    monkeypatch.setattr(configured, "names_of", lambda settings: names)
    policy = """require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.dns", "variables"];
        stage "mail" { if dns :matches "mx" "d.example" "*mx.d.example" { ereject "seen"; } }"""
    assert "text: seen" in follow_configured(tmp_path, policy, "--to", "a@l.example", "--dns").stdout
    unasked = follow_configured(tmp_path, policy, "--to", "a@l.example")
    assert unasked.exit_code == 1
    assert "fault: " in unasked.stdout


def test_who_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(configured.names_of(None), Resolver)

    def nobody(*known: object) -> Resolver:
        raise NoResolverConfiguration("none")

    monkeypatch.setattr(configured, "Resolver", nobody)
    with pytest.raises(typer.Exit):
        configured.names_of(None)

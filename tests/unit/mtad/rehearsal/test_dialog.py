"""Dialogs: whole sessions against a policy, as an administrator writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtad.rehearsal.dialog import play_dialog
from mtad.rehearsal.report import FileReport

POLICY = """require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.route", "environment", "envelope"];
stage "connect" { if ip "10.0.0.0/8" { accept :relay; } }
stage "rcpt" { if envelope "to" "never@l.example" { ereject "Never"; } }
stage "deliver" { if envelope :domain "to" "l.example" { route :host "unix:/run/lmtp" "lmtp"; } }
"""
HEAD = "# What it shows.\nGiven: policy = p.sieve\nGiven: domains = l.example\n"
MAIL = "Given: greeting and EHLO\nC: MAIL FROM:<a@d.example>\nS: 250 *\n"


async def played(folder: Path, text: str, *, must_fail: bool = False) -> FileReport:
    (folder / "p.sieve").write_text(POLICY)
    path = folder / "d.txt"
    path.write_text(text)
    return await play_dialog(path, must_fail=must_fail)


async def wrong(folder: Path, text: str) -> str:
    """Return what a dialog fails with, with its line."""
    report = await played(folder, HEAD + text)
    assert not report.errors, report.errors
    (case,) = report.tests
    assert case.name == "What it shows."
    return "" if case.failure is None else f"{case.failure.line}: {case.failure.reason}"


async def test_the_policy_decides_and_the_next_hops_answer(tmp_path: Path) -> None:
    text = f"""Given: client = 203.0.113.5
Given: nexthop rcpt busy@l.example = 450 4.2.0 Busy
{MAIL}C: RCPT TO:<u@other.example>
S: 550 5.7.1 Relaying denied
C: RCPT TO:<never@l.example>
S: 550 5.7.1 Never
C: RCPT TO:<busy@l.example>
S: 450 4.2.0 *
C: RCPT TO:<u@l.example>
S: 250 *
C: DATA
S: 354 *
C: Subject: x
C:
C: hello
C: .
S: 250 2.0.0 *
C: QUIT
S: 221 *
S: <closed>
Then: delivered = 1
Then: content = hello\\r\\n
Then: route u@l.example = lmtp unix:/run/lmtp
Then: queued = nothing
"""
    assert await wrong(tmp_path, text) == ""


async def test_where_the_client_comes_from_is_known(tmp_path: Path) -> None:
    asked = "C: RCPT TO:<u@other.example>\nS: 250 *\nThen: route u@other.example = smtp\n"
    assert await wrong(tmp_path, f"Given: client = 10.0.0.9\n{MAIL}{asked}") == ""


async def test_users_log_in_where_they_come_in(tmp_path: Path) -> None:
    text = """Given: entrance submission
Given: user alice@l.example = pencil
Given: greeting and EHLO
C: AUTH PLAIN base64(\\0alice@l.example\\0pen)
S: 535 *
C: AUTH PLAIN base64(\\0alice@l.example\\0pencil)
S: 235 *
C: MAIL FROM:<bob@d.example>
S: 550 *
C: MAIL FROM:<alice@l.example>
S: 250 *
C: RCPT TO:<u@other.example>
S: 250 *
"""
    assert await wrong(tmp_path, text) == ""


async def test_scram_works_against_a_listed_password(tmp_path: Path) -> None:
    text = """Given: entrance submission
Given: user alice@l.example = pencil
Given: greeting and EHLO
C: AUTH SCRAM-SHA-256 base64(n,,n=alice@l.example,r=nonce)
S: 334 *
C: base64(c=biws,r=other,p=AAAA)
S: 5*
"""
    assert await wrong(tmp_path, text) == ""


async def test_its_own_name(tmp_path: Path) -> None:
    assert await wrong(tmp_path, "Given: hostname = mx.l.example\nS: 220 mx.l.example ESMTP*\n") == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("S: 250 *", "expected '250 *', got '550 5.7.1 Relaying denied'"),
        ("S: 550 *\nThen: delivered = 1", "it is 0"),
        ("S: 550 *\nThen: queued = a@l.example QUEUED", "it is nothing"),
        ("S: 550 *\nThen: route u@other.example = smtp", "it went nowhere"),
        ("S: 550 *\nThen: event mail.refused = 77", "it is "),
        ("S: 550 *\nThen: moon = full", "'moon = full' is not known"),
        ("S: 550 *\nThen: content = x", "it is []"),
        ("S: 550 *\nThen: top = x", "it is []"),
        ("S: 550 *\nThen: passed on = x", "nothing was"),
        ("S: 550 *\nC: QUIT\nS: 221 *\nS: 250 *", "expected '250 *', got '<closed>'"),
    ],
)
async def test_what_is_not_so_is_told_with_its_line(tmp_path: Path, line: str, reason: str) -> None:
    found = await wrong(tmp_path, f"{MAIL}C: RCPT TO:<u@other.example>\n{line}\n")
    assert reason in found
    assert found.startswith(f"{7 + line.count(chr(10)) + 1}: ")


async def test_a_server_that_says_nothing_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtad.rehearsal.wire.REPLY_SECONDS", 0.01)
    assert await wrong(tmp_path, f"{MAIL}S: 250 *\n") == "7: expected '250 *', got '<nothing>'"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("# No policy.\nS: 220 *\n", "no policy"),
        ("Given: policy = none.sieve\n", "none.sieve:1:1: cannot be read"),
        (HEAD + "Q: who?\n", ":4: not a line of a transcript: 'Q: who?'"),
        (HEAD + "X: often * x\n", ":4: not a line of a transcript"),
        (HEAD + "Given: moon = full\n", ":4: 'moon = full': it is not known"),
        (HEAD + "Given: nexthop rcpt a@l.example = no\n", ":4: 'nexthop rcpt a@l.example = no': 'no' is no reply"),
        (HEAD + "Given: nexthop end a@l.example = 354 Go on\n", "'354 Go on' answers nothing"),
        (HEAD + "Given: queue refuses = gravel\n", "'gravel' is not a valid Refusal"),
        (HEAD + "Given: queue copies = many\n", "invalid literal"),
        (HEAD + "Given: limit moons_max = 2\n", "there is no such limit"),
        (HEAD + "Given: entrance cellar\n", "one of LMTP, submission, MX"),
        (HEAD + "Given: server offers CHECKERS\n", "only BINARYMIME can be offered"),
    ],
)
async def test_mistakes_in_a_dialog(tmp_path: Path, text: str, error: str) -> None:
    report = await played(tmp_path, text)
    assert len(report.errors) == 1
    assert error in report.errors[0]
    assert not report.is_good


async def test_a_dialog_that_must_fail(tmp_path: Path) -> None:
    assert (await played(tmp_path, HEAD + "S: 421 *\n", must_fail=True)).is_good
    assert not (await played(tmp_path, HEAD + "S: 220 *\n", must_fail=True)).is_good


async def test_what_is_no_text_is_told(tmp_path: Path) -> None:
    path = tmp_path / "d.txt"
    path.write_bytes(b"\xff\n")
    assert (await play_dialog(path)).errors == (f"{path}:1: not UTF-8",)
    path.write_bytes(b"# " + b"x" * (1 << 20))
    assert (await play_dialog(path)).errors == (f"{path}:1: longer than 1048576 octets",)
    assert "cannot be read" in (await play_dialog(tmp_path / "none.txt")).errors[0]


async def test_time_passes_between_two_tries(tmp_path: Path) -> None:
    (tmp_path / "limits.sieve").write_text(
        'require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.limits"];'
        'stage "mail" { if ratelimit 1 60 { tempfail :code 450 "Often"; } }'
    )
    again = "C: RSET\nS: 250 *\nC: MAIL FROM:<a@d.example>\n"
    text = f"{MAIL}{again}S: 450 4.7.1 Often\nThen: time passes = 70\n{again}S: 250 *\n"
    path = tmp_path / "limits.txt"
    path.write_text(f"Given: policy = limits.sieve\n{text}")
    assert (await play_dialog(path)).tests[0].failure is None
    path.write_text(f"Given: policy = limits.sieve\nGiven: limits fail\n{MAIL}{again}S: 250 *\n")
    assert (await play_dialog(path)).tests[0].failure is None
    path.write_text(f"Given: policy = limits.sieve\n{MAIL}Then: time passes = soon\n")
    failure = (await play_dialog(path)).tests[0].failure
    assert failure is not None
    assert failure.reason == "'soon' are no seconds"

"""A program that is run: what it is told, how it ends, and what becomes of one that misbehaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mtad.programs.process import COMPLAINT_OCTETS_MAX, Ended, Order, run_to_end
from tests.fakes.waiting import WAIT_SECONDS

SHORT_SECONDS = 0.5  # of a program that never ends by itself
LARGE = b"0123456789abcde\n" * (1 << 16)


def script(folder: Path, text: str) -> Path:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def ran(
    folder: Path,
    text: str,
    *arguments: bytes,
    given: bytes = b"",
    seconds_max: float = WAIT_SECONDS,
    output_octets_max: int = 1 << 21,
) -> Ended:
    command = (os.fsencode(script(folder, text)), *arguments)
    return run_to_end(Order(command, {b"PATH": b"/usr/bin:/bin", b"A": b"b"}, given, seconds_max, output_octets_max))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for_the_end_of(pid: int) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while is_running(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_is_told_by_arguments_environment_and_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the daemon")
    ended = ran(tmp_path, 'echo "$# $1 $2 $A [$SECRET] $PWD"; cat', b"a b", b"$(id)", given=b"one\r\ntwo\r\n")
    assert (ended.code, ended.cut) == (0, "")
    assert bytes(ended.output) == b"2 a b $(id) b [] /\none\r\ntwo\r\n"


def test_it_has_no_input_where_none_is_given(tmp_path: Path) -> None:
    assert ran(tmp_path, "cat; echo end").output == b"end\n"


def test_how_it_ended_and_what_it_complained_of(tmp_path: Path) -> None:
    ended = ran(tmp_path, "echo no >&2; exit 3")
    assert (ended.code, bytes(ended.complaint), ended.cut) == (3, b"no\n", "")
    assert ran(tmp_path, "kill -TERM $$").code == -15


def test_large_input_comes_through_while_it_writes(tmp_path: Path) -> None:
    ended = ran(tmp_path, "exec cat", given=LARGE)
    assert (ended.code, ended.cut, ended.output == LARGE) == (0, "", True)


def test_one_that_does_not_read_its_input_may_end_well(tmp_path: Path) -> None:
    assert ran(tmp_path, "exec <&-; echo done", given=LARGE) == Ended(0, bytearray(b"done\n"))
    assert ran(tmp_path, "head -c 3", given=LARGE).output == b"012"


def test_complaints_without_end_are_cut_and_do_not_hold_it_up(tmp_path: Path) -> None:
    ended = ran(tmp_path, "head -c 3000000 /dev/zero >&2; echo end")
    assert (ended.code, bytes(ended.output), len(ended.complaint)) == (0, b"end\n", COMPLAINT_OCTETS_MAX)


def test_one_that_writes_without_end_is_killed(tmp_path: Path) -> None:
    ended = ran(tmp_path, "exec yes", output_octets_max=1000)
    assert (ended.cut, ended.code) == ("it wrote more than 1000 octets", -9)
    assert ran(tmp_path, "head -c 1000 /dev/zero", output_octets_max=1000).cut == ""
    assert ran(tmp_path, "head -c 1001 /dev/zero", output_octets_max=1000).cut != ""


def test_what_is_dropped_has_no_limit(tmp_path: Path) -> None:
    ended = ran(tmp_path, "head -c 3000000 /dev/zero", output_octets_max=0)
    assert (ended.code, ended.cut, bytes(ended.output)) == (0, "", b"")


@pytest.mark.parametrize("text", ["exec sleep 600", "while :; do :; done", "trap '' TERM INT; sleep 600"])
def test_one_that_never_ends_is_killed(tmp_path: Path, text: str) -> None:
    ended = ran(tmp_path, text, seconds_max=SHORT_SECONDS, given=LARGE)
    assert (ended.cut, ended.code) == (f"it ran for more than {SHORT_SECONDS:g} s", -9)


def test_what_it_has_started_is_killed_with_it(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    ended = ran(tmp_path, 'sleep 600 & echo $! > "$1"; wait', os.fsencode(pid_file), seconds_max=2)
    assert ended.cut
    wait_for_the_end_of(int(pid_file.read_text()))


def test_what_it_leaves_running_holds_nothing_up_and_does_not_outlive_it(tmp_path: Path) -> None:
    ended = ran(tmp_path, "(while :; do sleep 600; done) & echo $!")
    assert (ended.code, ended.cut) == (0, "")
    wait_for_the_end_of(int(ended.output))


def test_what_has_a_session_of_its_own_holds_nothing_up(tmp_path: Path) -> None:
    ended = ran(tmp_path, "setsid sleep 600 & echo $!")
    assert (ended.code, ended.cut) == (0, "")
    os.kill(int(ended.output), 9)


def test_what_goes_on_writing_in_a_session_of_its_own_is_cut(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    text = 'setsid sh -c "echo \\$\\$ > $1; exec yes" & while ! [ -s "$1" ]; do :; done'
    ended = ran(tmp_path, text, os.fsencode(pid_file), output_octets_max=1 << 20)
    os.kill(int(pid_file.read_text()), 9)
    assert len(ended.output) <= (1 << 20) + (1 << 16)
    assert ended.cut or ended.code == 0


def test_one_that_cannot_be_started(tmp_path: Path) -> None:
    path = script(tmp_path, "")
    path.write_text("#!/no/such/shell\n")
    with pytest.raises(FileNotFoundError):
        run_to_end(Order((os.fsencode(path),), {}, b"", WAIT_SECONDS, 0))

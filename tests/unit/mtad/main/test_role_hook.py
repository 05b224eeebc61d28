"""What is run at a change of role: what it is told, one at a time, and what becomes of one that misbehaves."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from mtad.main.role_hook import OUTPUT_OCTETS_MAX, Change, Ended, Hook, RoleHook, run
from mtad.telemetry.events import CollectedEvents
from tests.fakes.waiting import WAIT_SECONDS, until

TO_ACTIVE = Change("active", 7, "no active member is heard")


def script(folder: Path, text: str) -> Path:
    path = folder / "on-role"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def hook(command: Path, timeout_seconds: float = WAIT_SECONDS) -> Hook:
    return Hook(command, timeout_seconds, "mx1")


def run_until_it_has_written(command: Path, octets: int) -> Ended:
    """Run a program that does not end by itself, for longer where a busy machine has let it write too little."""
    seconds = 1
    while len((ended := run(hook(command, seconds), "a", TO_ACTIVE)).output) < octets:
        seconds *= 2
    return ended


def test_it_is_told_by_arguments_and_by_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the daemon")
    told = script(
        tmp_path, 'echo "$@"; echo "$MTAD_NODE $MTAD_OLD_ROLE $MTAD_NEW_ROLE $MTAD_EPOCH $MTAD_WHY [$SECRET]"'
    )
    assert run(hook(told), "passive", TO_ACTIVE) == Ended(
        0, "passive active 7 mx1\nmx1 passive active 7 no active member is heard []"
    )


def test_no_shell_reads_its_arguments(tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    change = Change(f"$(touch {touched})", 1, f"; touch {touched}")
    assert run(hook(script(tmp_path, 'echo "$2"')), "passive", change).output == f"$(touch {touched})"
    assert not touched.exists()


def test_how_it_ended_and_what_it_wrote_to_either_output(tmp_path: Path) -> None:
    assert run(hook(script(tmp_path, "echo one; echo two >&2; exit 3")), "a", TO_ACTIVE) == Ended(3, "one\ntwo")
    assert run(hook(script(tmp_path, "kill -TERM $$")), "a", TO_ACTIVE).code == -15


def test_it_is_killed_with_all_that_it_started_when_its_time_is_over(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run_until_it_has_written(script(tmp_path, "echo begun; sleep 600 & echo $!; wait"), len("begun\n1"))
    assert time.monotonic() - began < WAIT_SECONDS
    begun, child = ended.output.split()
    assert (ended.code, begun) == (None, "begun")
    deadline = time.monotonic() + WAIT_SECONDS
    while is_running(int(child)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_output_without_end_fills_no_memory_and_outlasts_no_time(tmp_path: Path) -> None:
    ended = run_until_it_has_written(script(tmp_path, "exec yes"), OUTPUT_OCTETS_MAX - 1)
    assert (ended.code, len(ended.output)) == (None, OUTPUT_OCTETS_MAX - 1)


def test_what_it_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    began = time.monotonic()
    ended = run(hook(script(tmp_path, "sleep 600 & echo $!")), "a", TO_ACTIVE)
    assert ended.code == 0
    assert time.monotonic() - began < WAIT_SECONDS / 2
    os.kill(int(ended.output), 9)


async def idle(told: RoleHook) -> None:
    await until(lambda: told._running is None)


async def test_one_runs_at_a_time_and_of_those_that_wait_the_last(tmp_path: Path) -> None:
    log, begun, go = tmp_path / "log", tmp_path / "begun", tmp_path / "go"
    wait = f'echo "$1 $2 $3" >> {log}; touch {begun}; while [ ! -e {go} ]; do sleep 0.01; done'
    events = CollectedEvents()
    told = RoleHook(hook(script(tmp_path, wait)), events)
    told.changed("passive", 1, "")
    await until(begun.exists)
    for role, epoch in (("promoting", 2), ("active", 2), ("rejoining", 3), ("passive", 3)):
        told.changed(role, epoch, "")
    assert log.read_text() == "none passive 1\n"
    go.touch()
    await told.stop(3)
    assert log.read_text() == "none passive 1\npassive stopped 3\n"
    assert [event["how"] for event in events.named("replica.hook")] == ["exit 0", "exit 0"]


async def test_a_stop_tells_from_where(tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = RoleHook(hook(script(tmp_path, f'echo "$1 $2" >> {log}')), CollectedEvents())
    for role in ("passive", "active"):
        told.changed(role, 1, "")
        await idle(told)
    await told.stop(1)
    assert log.read_text() == "none passive\npassive active\nactive stopped\n"


async def test_a_node_that_never_had_a_role_has_nothing_to_tell(tmp_path: Path) -> None:
    events = CollectedEvents()
    await RoleHook(hook(tmp_path / "missing"), events).stop(0)
    assert events.events == []


@pytest.mark.parametrize(
    ("text", "seconds", "how"),
    [("echo oh; exit 4", WAIT_SECONDS, "exit 4"), ("echo oh; sleep 60", 0.2, "killed after 0.2 s")],
)
async def test_what_goes_wrong_is_an_event(tmp_path: Path, text: str, seconds: float, how: str) -> None:
    events = CollectedEvents()
    told = RoleHook(hook(script(tmp_path, text), seconds), events)
    told.changed("active", 7, "granted")
    await idle(told)
    first = events.named("replica.hook_failed")[0]
    assert (first["how"], first["output"], first["was"], first["role"], first["epoch"]) == (
        how,
        "oh",
        "none",
        "active",
        7,
    )


async def test_one_that_cannot_be_started_ends_nothing(tmp_path: Path) -> None:
    events = CollectedEvents()
    told = RoleHook(hook(tmp_path / "missing"), events)
    told.changed("passive", 1, "")
    await told.stop(1)
    assert {event["how"] for event in events.named("replica.hook_failed")} == {"No such file or directory"}

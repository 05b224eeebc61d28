"""The folder of programs: which can be run, how they end, and how many run at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mtad.config.settings import Settings
from mtad.mail.programs import Broken, Declined, Done, NoPrograms, Task
from mtad.programs.folder import ProgramFolder, ProgramLimits, programs_of
from mtad.telemetry.events import CollectedEvents
from tests.fakes.configuration import MINIMAL, settings_of
from tests.fakes.waiting import WAIT_SECONDS, until

LIMITS = ProgramLimits(WAIT_SECONDS, 2, WAIT_SECONDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    programs = tmp_path / "programs"
    programs.mkdir(mode=0o755)
    for name, text in (
        ("good", 'echo "$1 $SENDER"; cat'),
        ("no", "echo why >&2; exit 4"),
        ("killed", "kill -SEGV $$"),
        ("endless", "sleep 600"),
        ("large", "head -c 65537 /dev/zero"),
        ("gated", 'echo $$ >> "$1"; while [ ! -e "$2" ]; do sleep 0.02; done'),
    ):
        path = programs / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    return programs


def programs_in(folder: Path, events: CollectedEvents | None = None, limits: ProgramLimits = LIMITS) -> ProgramFolder:
    return ProgramFolder(folder, limits, events or CollectedEvents())


def settings_with(folder: Path, more: str = "") -> Settings:
    return settings_of(f'{MINIMAL}size_octets_max = 65536\n[programs]\nfolder = "{folder}"\n{more}')


async def test_one_ends_well(folder: Path) -> None:
    events = CollectedEvents()
    task = Task("good", ("ä b",), {"SENDER": "a@d.example"}, b"in", output_octets_max=1000)
    assert await programs_in(folder, events).run(task) == Done("ä b a@d.example\nin".encode())
    (told,) = events.named("program.ended")
    assert (told["program"], told["status"]) == ("good", 0)


async def test_one_says_no(folder: Path) -> None:
    events = CollectedEvents()
    assert await programs_in(folder, events).run(Task("no")) == Declined(4)
    (told,) = events.named("program.ended")
    assert (told["status"], told["said"]) == (4, "why")


@pytest.mark.parametrize(
    ("name", "why"),
    [("killed", "signal 11 has ended it"), ("none", "it cannot be started: No such file or directory")],
)
async def test_one_that_breaks(folder: Path, name: str, why: str) -> None:
    events = CollectedEvents()
    assert await programs_in(folder, events).run(Task(name)) == Broken(why)
    (told,) = events.named("program.failed")
    assert (told["program"], told["why"]) == (name, why)


async def test_one_that_never_ends(folder: Path) -> None:
    limits = ProgramLimits(0.3, 2)
    assert await programs_in(folder, limits=limits).run(Task("endless")) == Broken("it ran for more than 0.3 s")


async def test_no_more_run_at_a_time_than_may(folder: Path, tmp_path: Path) -> None:
    programs, begun, gate = programs_in(folder), tmp_path / "begun", tmp_path / "gate"
    task = Task("gated", (str(begun), str(gate)))
    runs = [asyncio.create_task(programs.run(task)) for _ in range(3)]
    await until(lambda: begun.exists() and len(begun.read_text().split()) == 2)
    await asyncio.sleep(0.1)
    assert len(begun.read_text().split()) == 2
    gate.touch()
    assert await asyncio.gather(*runs) == [Done()] * 3
    assert len(begun.read_text().split()) == 3


async def test_who_finds_no_place_hears_so(folder: Path, tmp_path: Path) -> None:
    programs, begun, gate = (
        programs_in(folder, limits=ProgramLimits(WAIT_SECONDS, 1, 0.05)),
        tmp_path / "b",
        tmp_path / "g",
    )
    first = asyncio.create_task(programs.run(Task("gated", (str(begun), str(gate)))))
    await until(begun.exists)
    assert await programs.run(Task("good")) == Broken("1 others are running, and none has ended")
    gate.touch()
    assert await first == Done()


async def test_what_nobody_waits_for_keeps_its_place_to_its_end(folder: Path, tmp_path: Path) -> None:
    programs, begun, gate = (
        programs_in(folder, limits=ProgramLimits(WAIT_SECONDS, 1, WAIT_SECONDS)),
        tmp_path / "b",
        tmp_path / "g",
    )
    first = asyncio.create_task(programs.run(Task("gated", (str(begun), str(gate)))))
    await until(begun.exists)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(programs.run(Task("good")))
    await asyncio.sleep(0.1)
    assert not second.done()
    gate.touch()
    assert await second == Done()


@pytest.mark.parametrize(
    ("name", "mode", "problem"),
    [
        ("good", 0o755, ""),
        ("good", 0o775, "others can change {} (mode 0775)"),
        ("good", 0o757, "others can change {} (mode 0757)"),
        ("good", 0o644, "{} may not be executed by this user"),
        ("none", None, "{}: No such file or directory"),
        ("folder", None, "{} is no file"),
    ],
)
def test_which_can_be_run(folder: Path, name: str, mode: int | None, problem: str) -> None:
    (folder / "folder").mkdir()
    if mode is not None:
        (folder / name).chmod(mode)
    assert programs_in(folder).problem(name) == problem.format(folder / name)


def test_a_folder_in_which_others_write_has_none(folder: Path) -> None:
    folder.chmod(0o775)
    assert programs_in(folder).problem("good") == f"others can write to {folder} (mode 0775)"
    assert programs_in(folder / "none").problem("good") == f"{folder / 'none'}: No such file or directory"
    assert programs_in(folder / "good").problem("x") == f"{folder / 'good'} is no folder"


async def test_without_a_table_there_are_none(folder: Path) -> None:
    events = CollectedEvents()
    none = programs_of(settings_of(MINIMAL), events)
    assert none.problem("good") == "programs.folder of mtad.toml is not given"
    assert await none.run(Task("good")) == Broken("there are no programs")
    assert isinstance(none, NoPrograms)
    assert programs_of(settings_with(folder), events).problem("good") == ""


async def test_processes_share_how_many_run(folder: Path, tmp_path: Path) -> None:
    shared = programs_of(settings_with(folder, "timeout_seconds = 60\nat_once_max = 3\n"), CollectedEvents(), share=2)
    begun, gate = tmp_path / "begun", tmp_path / "gate"
    runs = [asyncio.create_task(shared.run(Task("gated", (str(begun), str(gate))))) for _ in range(2)]
    await until(begun.exists)
    await asyncio.sleep(0.1)
    assert len(begun.read_text().split()) == 1
    gate.touch()
    assert await asyncio.gather(*runs) == [Done()] * 2


async def test_none_writes_more_than_a_message_may_have(folder: Path) -> None:
    programs = programs_of(settings_with(folder), CollectedEvents())
    assert await programs.run(Task("large", output_octets_max=1 << 20)) == Broken("it wrote more than 65536 octets")
    assert await programs.run(Task("large", output_octets_max=5)) == Broken("it wrote more than 5 octets")

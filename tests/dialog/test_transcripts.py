"""Every transcript, in memory whole and octet by octet, and over a socket."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from mtad.rehearsal import transcript as transcripts
from mtad.rehearsal.report import Failure
from mtad.rehearsal.transcript import Transcript, read
from mtad.server import smtp
from tests.dialog.conftest import Build
from tests.dialog.transcript import Scene

TRANSCRIPTS = sorted(Path(__file__).with_name("transcripts").glob("*.txt"))


def test_there_are_transcripts() -> None:
    assert len(TRANSCRIPTS) > 20


@pytest.mark.parametrize("line", ["S: 250 *", "S: <closed>", "Then: delivered = 1"])
async def test_a_transcript_can_fail(line: str, tmp_path: Path, build: Build) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(f"Given: greeting and EHLO\nC: VERB\nS: 500 *\nC: QUIT\n{line}\n")
    assert await play(path, "whole", build) is not None


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("manner", ["whole", "octet-by-octet", "socket"])
async def test_transcript(path: Path, manner: str, build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    if Scene.of(transcript(path)).is_over_tls:  # so is told here; that it really is: test_submission.py
        plain = smtp.client_of
        monkeypatch.setattr(smtp, "client_of", lambda *known: replace(plain(*known), is_tls=True))
    assert await play(path, manner, build) is None


def transcript(path: Path) -> Transcript:
    found = read(path)
    assert isinstance(found, Transcript), found
    return found


async def play(path: Path, manner: str, build: Build) -> Failure | None:
    """Play a transcript; what it says and what comes must agree."""
    script = transcript(path)
    scene = Scene.of(script)
    house = await build(
        scene.rooms, scene.limits, scene.events, is_binary_offered=scene.is_binary_offered, entrance=scene.entrance
    )
    wire = await house.socket() if manner == "socket" else house.wire()
    return await transcripts.play(script, wire, scene.then, is_octet_by_octet=manner == "octet-by-octet")

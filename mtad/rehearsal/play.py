"""Plays files by what they are: tests in the test-suite language, or dialogs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mtad.rehearsal.dialog import play_dialog
from mtad.rehearsal.report import FileReport
from mtad.rehearsal.svtest import play_tests

_PLAYERS = {".svtest": play_tests, ".txt": play_dialog}
SUFFIXES = tuple(_PLAYERS)


def files_of(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the files themselves, and all that can be played in and below the folders."""
    for path in paths:
        if path.is_dir():
            yield from sorted(file for file in path.rglob("*") if file.suffix in _PLAYERS and file.is_file())
        else:
            yield path


async def play_file(path: Path, *, must_fail: bool = False) -> FileReport:
    """Play one file; what is wrong with the file itself is in its report too.

    must_fail   each of its tests is to fail
    """
    player = _PLAYERS.get(path.suffix)
    if player is None or not _is_there(path):
        why = f"neither {' nor '.join(SUFFIXES)}" if _is_there(path) else "no such file or folder"
        return FileReport(str(path), errors=(f"{path}: {why}",), must_fail=must_fail)
    return await player(path, must_fail=must_fail)


def _is_there(path: Path) -> bool:
    return path.exists()

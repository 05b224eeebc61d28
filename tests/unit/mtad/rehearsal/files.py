"""Test files that are written on the spot and played."""

from __future__ import annotations

from pathlib import Path

from mtad.rehearsal.report import FileReport
from mtad.rehearsal.svtest import play_tests

SUITE = 'require ["vnd.dovecot.testsuite", "vnd.mtad.testsuite", "relational", "comparator-i;ascii-numeric"];\n'


async def played(folder: Path, text: str, *, must_fail: bool = False, **scripts: str) -> FileReport:
    """Write a test file, and beside it NAME.sieve for each script; play it."""
    for name, script in scripts.items():
        (folder / f"{name}.sieve").write_text(script)
    path = folder / "t.svtest"
    path.write_text(SUITE + text)
    return await play_tests(path, must_fail=must_fail)


async def failed(folder: Path, text: str, **scripts: str) -> list[str]:
    """Return what the tests of such a file failed with; the file itself has no fault."""
    report = await played(folder, text, **scripts)
    assert not report.errors, report.errors
    assert report.tests
    return [case.failure.reason for case in report.tests if case.failure is not None]

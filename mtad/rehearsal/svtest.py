"""Plays one test file (*.svtest) from its first line to its last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from mtad.admission.script_file import compile_file
from mtad.rehearsal.asking import why_failed
from mtad.rehearsal.report import FileReport
from mtad.rehearsal.results import RESULTS
from mtad.rehearsal.stages import STAGES
from mtad.rehearsal.suite import SUITE, TOLD
from mtad.rehearsal.workbench import Workbench
from mtad.sieve.code import answer
from mtad.sieve.dialects import PLAIN
from mtad.sieve.errors import SieveErrors
from mtad.sieve.language import OUTSIDE
from mtad.sieve.run import Limits, Run, ScriptFailed

LANGUAGE = replace(PLAIN, specs=PLAIN.specs + SUITE + RESULTS + STAGES, namespaces=(*PLAIN.namespaces, TOLD))
"""What a test file may say: a plain script's language, and how to test."""

_LIMITS = Limits(  # of a whole file, whose actions wait for its asking, and which writes whole messages
    actions_max=10_000, redirects_max=10_000, recipients_added_max=10_000, value_length_max=1 << 20
)


async def play_tests(path: Path, *, must_fail: bool = False) -> FileReport:
    """Play a test file; what is wrong with the file itself is in its report too.

    must_fail   each of its tests is to fail
    """
    compiled = compile_file(path, LANGUAGE)
    if isinstance(compiled, SieveErrors):
        return FileReport(str(path), errors=tuple(map(str, compiled.errors)), must_fail=must_fail)
    bench = Workbench(path.parent, str(path))
    errors: list[str] = []
    try:
        await answer(compiled.stages[OUTSIDE], Run(bench, _LIMITS, bench.doors()))
    except ScriptFailed as failed:
        errors.append(f"{path}: {why_failed(failed)}")
    if bench.failure is not None:
        errors.append(str(bench.failure))  # test_fail outside of all tests
    return FileReport(str(path), tuple(bench.tests), tuple(errors), must_fail)

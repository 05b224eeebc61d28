"""What came of the test files: values, and the lines that tell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a test failed, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class CaseReport:
    """One test; without a failure it passed."""

    name: str
    line: int
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its tests in their order, and what kept the file itself from being played to its end."""

    file: str
    tests: tuple[CaseReport, ...] = ()
    errors: tuple[str, ...] = ()
    must_fail: bool = False  # a file that shows what fails: good when each of its tests did

    @property
    def is_good(self) -> bool:
        """Tell whether the file did what it should. One in which nothing is tested did not."""
        return not self.errors and bool(self.tests) and not any(map(self.is_wrong, self.tests))

    def is_wrong(self, test: CaseReport) -> bool:
        """Tell whether a test of this file ended as it should not."""
        return (test.failure is None) is self.must_fail


def lines(reports: Sequence[FileReport]) -> Iterator[str]:
    """Tell each file in a line, below it what is wrong in it, and at the end how many tests there were."""
    for report in reports:
        yield f"{'ok  ' if report.is_good else 'FAIL'} {report.file} ({_counted(len(report.tests))})"
        yield from (f"     {error}" for error in report.errors)
        for test in filter(report.is_wrong, report.tests):
            yield f'     test "{test.name}" at line {test.line}'
            yield f"       {test.failure or 'passed, and must fail'}"
        if not report.tests and not report.errors:
            yield "     nothing is tested"
    wrong = sum(report.is_wrong(test) for report in reports for test in report.tests)
    files = sum(not report.is_good for report in reports)
    total = _counted(sum(len(report.tests) for report in reports))
    yield f"{total}, {wrong} wrong; {len(reports)} file{'' if len(reports) == 1 else 's'}, {files} not good."


def _counted(tests: int) -> str:
    return f"{tests} test{'' if tests == 1 else 's'}"

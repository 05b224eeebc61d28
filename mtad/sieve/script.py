"""A compiled script: one closure for each stage."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass

from mtad.sieve.code import Code, repeat
from mtad.sieve.effort import Effort
from mtad.sieve.errors import ERRORS_MAX, Report, SieveError, SieveErrors
from mtad.sieve.language import Definitions, Language, Unit, compile_block
from mtad.sieve.outside import NOTHING, Outside, Unreadable
from mtad.sieve.run import Run
from mtad.sieve.syntax import parse
from mtad.sieve.validate import validate
from mtad.telemetry.metrics import Metric

SCRIPT_LENGTH_MAX = 1 << 18
INCLUDES_NESTED_MAX = 10
INCLUDES_MAX = 100  # of scripts, wherever they stand
_SCRIPT = " script"  # no loop is named so
_CAPTURE = re.compile(r"\$\\?\{\\?[0-9]|[Hh][Ee][Xx]:|[Uu][Nn][Ii]")  # or what may be one when it is decoded


@dataclass(frozen=True, slots=True)
class Script:
    """What a script does at each stage that it mentions; what stands in no stage under OUTSIDE.

    lacks   what it asks, and nobody here can answer
    """

    stages: Mapping[str, Code]
    lacks: frozenset[str] = frozenset()


def compile_script(
    text: str,
    file: str,
    language: Language,
    outside: Outside = NOTHING,
    metrics: dict[str, Metric] | None = None,
) -> Script | SieveErrors:
    """Compile a script and all that it includes, or tell everything that is wrong; never anything between.

    metrics   those of the scripts that it makes a policy with, by name; its own are added
    """
    compilation = _Compilation(language, outside, {} if metrics is None else metrics)
    stages = compilation.compile(text, file, None, frozenset())
    errors = compilation.errors[:ERRORS_MAX]
    return SieveErrors(tuple(errors)) if errors else Script(stages, compilation.lacks)


def _by_itself(code: Code, unit: Unit) -> Code:
    """Make what an included script does: its own variables begin empty, match variables too (RFC 6609 §3.4)."""
    own = unit.own_keys()

    def enter(run: Run) -> Generator[None, None, None]:
        run.spend(len(own))
        for key in own:
            run.variables.pop(key, None)
        outer, run.captures = run.captures, ()
        try:
            yield
        finally:
            run.captures = outer

    return repeat(code, enter, _SCRIPT)


_Key = tuple[str, str, str, frozenset[str]]  # as scripts are asked for


class _Compilation:
    """One script and those that it includes."""

    def __init__(self, language: Language, outside: Outside, metrics: dict[str, Metric]) -> None:
        self.errors: list[SieveError] = []
        self._language = language
        self._outside = outside
        self._defined = Definitions(dict(outside.maps), metrics=metrics)
        self._effort = Effort()
        self._made: dict[_Key, Code] = {}
        self._open: list[_Key] = []
        self._units_count = 0

    @property
    def lacks(self) -> frozenset[str]:
        return frozenset(self._defined.lacks)

    def compile(self, text: str, file: str, stage: str | None, around: frozenset[str]) -> dict[str, Code]:
        """Compile one of the scripts; one with a stage is what stands in that stage."""
        report = Report(file, text, self._effort)
        if len(text) > SCRIPT_LENGTH_MAX:
            report.add(0, f"script longer than {SCRIPT_LENGTH_MAX} characters")
            self.errors += report.errors().errors
            return {}
        scope = f"{self._units_count}." if self._units_count else ""
        self._units_count += 1
        has_captures = _CAPTURE.search(text) is not None
        unit = Unit(report, self._language, self.include, scope, has_captures, self._outside, self._defined, around)
        bound = validate(parse(text, report), unit, stage)
        stages = {name: compile_block(block) for name, block in bound.items()} if not report.is_full else {}
        if stage is not None:
            stages = {name: _by_itself(code, unit) for name, code in stages.items()}
        if report.has_errors:
            self.errors += report.errors().errors
        return stages

    def include(self, location: str, name: str, stage: str, around: frozenset[str]) -> Code | str | None:
        """Return a script as it runs in a stage, or what is wrong with including it; None when there is none."""
        key = (location, name, stage, around)
        if key in self._made:
            return self._made[key]
        if key in self._open:
            return "includes itself"
        if len(self._open) >= INCLUDES_NESTED_MAX:
            return f"is included deeper than {INCLUDES_NESTED_MAX}"
        if self._effort.left < 0:
            return "was not compiled"
        if self._units_count > INCLUDES_MAX:
            return f"is one more than {INCLUDES_MAX} included scripts"
        library = self._outside.scripts
        text = library(location, name) if library is not None else None
        if text is None:
            return None
        if isinstance(text, Unreadable):
            return text.why
        self._open.append(key)
        code = self.compile(text, f"{name}.sieve", stage, around).get(stage)
        self._open.pop()
        if code is None:
            return "was not compiled"
        self._made[key] = code
        return code

"""A compiled script: one closure for each stage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from mtad.sieve.code import Code
from mtad.sieve.errors import Report, SieveErrors
from mtad.sieve.language import Language, Unit, compile_block
from mtad.sieve.outside import NOTHING, Outside
from mtad.sieve.syntax import parse
from mtad.sieve.validate import validate

SCRIPT_LENGTH_MAX = 1 << 20
_CAPTURE = re.compile(r"\$\{[0-9]|[Hh][Ee][Xx]:|[Uu][Nn][Ii]")  # or what may be one when it is decoded


@dataclass(frozen=True, slots=True)
class Script:
    """What a script does at each stage that it mentions; what stands in no stage under OUTSIDE."""

    stages: Mapping[str, Code]


def compile_script(text: str, file: str, language: Language, outside: Outside = NOTHING) -> Script | SieveErrors:
    """Compile a script, or tell everything that is wrong with it; never anything between."""
    report = Report(file, text)
    if len(text) > SCRIPT_LENGTH_MAX:
        report.add(0, f"script longer than {SCRIPT_LENGTH_MAX} characters")
        return report.errors()
    unit = Unit(report, language, has_captures=_CAPTURE.search(text) is not None, outside=outside)
    bound = validate(parse(text, report), unit)
    stages = {name: compile_block(block) for name, block in bound.items()}
    return report.errors() if report.has_errors else Script(stages)

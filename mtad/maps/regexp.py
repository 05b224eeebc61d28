"""Regular expressions and what is said of keys that they are found in, as in Postfix's regexp_table(5).

    /pattern/flags value        `i` makes capitals count; $1 or ${1} in the value is the first group, $$ a dollar

They are run by RE2, in time linear in the key; its expressions are those of Perl but for look-around and
back-references. The first line that is found counts, and each before it has been looked for: how many there are is
limited, and how large they are together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from mtad.maps.answer import ABSENT, Answer, Found
from mtad.maps.expression import BadExpression, compiled, limited_options, searchable
from mtad.maps.lines import ERRORS_MAX, Line, Wrong, logical_lines

PATTERNS_MAX = 2_000
SIZE_MAX = 50_000  # steps of all expressions
KEY_LENGTH_MAX = 1 << 12  # what is behind is not seen
_MEMORY_OCTETS_MAX = 1 << 20  # of one expression: there are many
_WEIGHT = 6  # of an expression
_STEPS_LENGTH = 2048  # steps that are made at one character for the cost of one look into a table
_LINE = re.compile(r"([^\s\w!])((?:\\.|(?!\1)[^\\])*)\1(\w*)(?:\s+(.*))?\Z", re.DOTALL)
_GROUP = re.compile(r"\$(?:\{(\d{1,3})\}|\((\d{1,3})\)|(\d)|(\$))")


class _Pattern(NamedTuple):
    """One line: the expression, and the value in pieces, the numbers of groups between texts."""

    program: Any
    pieces: Sequence[str | int]


class Patterns:
    """Answers for a key with the value of the first expression that is found in it."""

    def __init__(self, patterns: Sequence[_Pattern]) -> None:
        self._patterns = patterns
        self._size: int = sum(pattern.program.programsize for pattern in patterns)

    def weight(self, key: str) -> int:
        """Return how much a look costs that finds nothing."""
        return _WEIGHT * len(self._patterns) + self._size * min(len(key), KEY_LENGTH_MAX) // _STEPS_LENGTH

    def get(self, key: str) -> Answer:
        """Return the value of a key."""
        seen = searchable(key[:KEY_LENGTH_MAX])
        for pattern in self._patterns:
            found = pattern.program.search(seen)
            if found is not None:
                values = (found.group(one) or "" if isinstance(one, int) else one for one in pattern.pieces)
                return Found("".join(values))
        return ABSENT


def patterns(lines: Iterable[Line], told: Callable[[int | None], object] = lambda steps: None) -> Patterns | Wrong:
    """Make a map of such lines.

    told   is told of each line, before the next is read, how many steps its expression has; None: it has none
    """
    made: list[_Pattern] = []
    wrong: list[Line] = []
    size = 0
    for number, text in lines:
        pattern = _pattern(text) if len(made) < PATTERNS_MAX else f"there are more than {PATTERNS_MAX} expressions"
        if isinstance(pattern, str):
            told(None)
            wrong.append(Line(number, pattern))
            if len(wrong) >= ERRORS_MAX:
                break
            continue
        made.append(pattern)
        told(pattern.program.programsize)
        size += pattern.program.programsize
        if size > SIZE_MAX:
            return Wrong((Line(number, f"the expressions down to here are larger than {SIZE_MAX} steps together"),))
    return Wrong.of(wrong) if wrong else Patterns(made)


def read_patterns(text: str) -> Patterns | Wrong:
    """Read the text of a file."""
    return patterns(logical_lines(text))


def _pattern(line: str) -> _Pattern | str:
    """Return one line's expression, or what is wrong with it."""
    taken = _LINE.match(line)
    if taken is None:
        return "is not /expression/flags value"
    _, text, flags, value = taken.groups()
    if flags.strip("i"):
        return f'flags "{flags}": only i is known'
    options = limited_options()
    options.case_sensitive = flags.count("i") % 2 == 1
    program = compiled(text, options, _MEMORY_OCTETS_MAX)
    if isinstance(program, BadExpression):
        return f"no regular expression: {program.why}"
    pieces = _pieces(value or "")
    missing = next((one for one in pieces if isinstance(one, int) and one > program.groups), None)
    return f"has no group {missing}" if missing is not None else _Pattern(program, pieces)


def _pieces(value: str) -> list[str | int]:
    """Take a value apart at the groups that it names."""
    found: list[str | int] = []
    end = 0
    for one in _GROUP.finditer(value):
        number = one[1] or one[2] or one[3]
        found += [value[end : one.start()], "$" if number is None else int(number)]
        end = one.end()
    return [*found, value[end:]]

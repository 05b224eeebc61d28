"""Keys and values in memory: what `inline` and `file` maps are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mtad.maps.answer import ABSENT, Answer, Found, folded
from mtad.maps.lines import Line, Wrong, key_and_value, logical_lines


class Table:
    """Has each key once; A to Z are as a to z."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._answers: dict[str, Answer] = {key: Found(value) for key, value in values.items()}

    def weight(self, _key: str) -> int:
        """Return what all others are measured by."""
        return 1

    def get(self, key: str) -> Answer:
        """Return the value of a key."""
        return self._answers.get(folded(key), ABSENT)


def table(lines: Iterable[Line]) -> Table | Wrong:
    """Make a map of lines `key value`; a key may stand alone, for a map that is asked only whether it has it."""
    values: dict[str, str] = {}
    wrong: list[Line] = []
    for number, text in lines:
        key, value = key_and_value(text)
        key = folded(key)
        if key in values:
            wrong.append(Line(number, f'"{key}" stands here a second time'))
        values[key] = value
    return Wrong.of(wrong) if wrong else Table(values)


def read_table(text: str) -> Table | Wrong:
    """Read the text of a file."""
    return table(logical_lines(text))

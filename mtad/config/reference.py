"""Writes docs/reference/configuration.md from the types of the settings: `python -m mtad.config.reference`.

With --check, only says whether the page is fresh.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from mtad.config.allowed import allowed, figure, plain
from mtad.config.forms import Address
from mtad.config.settings import About, Settings
from mtad.config.show import toml_value
from mtad.generated import write_or_check

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"
_UNITS = {"seconds": "seconds", "milliseconds": "milliseconds", "octets": "octets", "percent": "percent"}
_HEAD = """\
# mtad.toml

<!-- Written by `python -m mtad.config.reference` from mtad/config/settings.py. Change it there. -->

`mtad.toml` says how the process runs: addresses, paths, limits, members. What happens to mail is the policy's, in
Sieve. `mtad init DIR` writes a file that works; `mtactl config check` says everything that is wrong with one, with its
lines; `mtactl config show` writes all settings with the values they have.

An unknown key is an error. A setting without a default must be given if its table is. Relative paths start at the
folder of the file. A list is written `["one", "two"]`, an IPv6 address with a port `"[::1]:25"`.
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One setting, as the page tells it."""

    name: str  # dotted
    default: str
    allowed: str
    text: str


def tables() -> Iterator[tuple[str, str, list[Row]]]:
    """Yield each table's header, what it is for, and its settings."""
    hints = get_type_hints(Settings, include_extras=True)
    for field in dataclasses.fields(Settings):
        kind, _ = plain(hints[field.name])
        yield from _table(kind, field.name, f"[{field.name}]")


def _table(kind: Any, name: str, header: str) -> Iterator[tuple[str, str, list[Row]]]:
    hints = get_type_hints(kind, include_extras=True)
    rows: list[Row] = []
    inner: list[tuple[str, str, list[Row]]] = []
    for field in dataclasses.fields(kind):
        held, about = plain(hints[field.name])
        element = get_args(held)[0] if get_origin(held) is tuple else held
        if dataclasses.is_dataclass(element):
            path = f"{name}.{field.name}"
            inner += _table(element, path, f"[[{path}]]" if element is not held else f"[{path}]")
        rows.append(Row(field.name, _default(field), _allowed(field.name, held, about), about.text))
    yield header, str(kind.__doc__), rows
    yield from inner


def _default(field: dataclasses.Field[Any]) -> str:
    value = field.default
    if value is dataclasses.MISSING and field.default_factory is not dataclasses.MISSING:
        value = field.default_factory() or None
    if value is dataclasses.MISSING:
        return "must be given"
    if value is None or value == ():
        return "none"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"`{figure(value)}`"
    if isinstance(value, tuple) and not isinstance(value, Address):
        value = list(map(str, value))
    return f"`{toml_value(str(value) if isinstance(value, Path | Address) else value)}`"


def _allowed(name: str, kind: Any, about: About) -> str:
    unit = next((_UNITS[word] for word in name.split("_") if word in _UNITS), "")
    return allowed(kind, about) + (f" {unit}" if unit else "")


def page() -> str:
    """Return the text of the page."""
    parts = [_HEAD]
    for header, text, rows in tables():
        lines = [f"## `{header}`", "", text, "", "| setting | default | allowed | what |", "| --- | --- | --- | --- |"]
        lines += [f"| `{row.name}` | {row.default} | {row.allowed} | {row.text} |" for row in rows]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def main() -> None:
    """Write the page, or check it."""
    write_or_check({PAGE: page()}, "mtad.config.reference")


if __name__ == "__main__":
    main()

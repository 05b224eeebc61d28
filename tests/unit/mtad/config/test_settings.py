"""Every setting is told of, bounded, and there are few."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, get_args, get_origin, get_type_hints

from mtad.config.allowed import plain
from mtad.config.settings import SETTINGS_MAX, About, Settings


def leaves(kind: Any, path: str = "") -> Iterator[tuple[str, Any, About]]:
    hints = get_type_hints(kind, include_extras=True)
    for field in dataclasses.fields(kind):
        held, about = plain(hints[field.name])
        element = get_args(held)[0] if get_origin(held) is tuple else held
        if dataclasses.is_dataclass(element):
            yield from leaves(element, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}", held, about


def test_there_are_few() -> None:
    names = [name for name, _, _ in leaves(Settings)]
    assert len(names) == len(set(names))
    assert 20 < len(names) <= SETTINGS_MAX


def test_each_says_what_it_is_for() -> None:
    assert [name for name, _, about in leaves(Settings) if not about.text.endswith(".")] == []


def test_each_number_and_list_has_limits() -> None:
    unbounded = About("")
    bounded = [
        (name, about) for name, held, about in leaves(Settings) if held in (int, float) or get_origin(held) is tuple
    ]
    assert [name for name, about in bounded if unbounded.least in (about.least, -about.most)] == []


def test_each_text_has_a_form() -> None:
    assert [name for name, held, about in leaves(Settings) if held is str and about.form is None] == []


def test_defaults_are_within_their_limits() -> None:
    for kind in (table for table in map(plain, get_type_hints(Settings, include_extras=True).values())):
        hints = get_type_hints(kind[0], include_extras=True)
        for field in dataclasses.fields(kind[0]):
            _, about = plain(hints[field.name])
            if isinstance(field.default, int | float):
                assert about.least <= field.default <= about.most, field.name

"""For any TOML document, the scanner finds exactly the places that tomllib finds, in the lines where they stand."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from mtad.config.positions import Place, positions

KEYS = st.one_of(st.from_regex(r"[a-z0-9_-]{1,4}", fullmatch=True), st.text(max_size=4))
TEXTS = st.text(max_size=12) | st.sampled_from(["]", "}", "#", ",", "'", '"', "\n[t]\n", "k = 1"])
SCALARS = st.one_of(st.integers(-9, 9), st.booleans(), TEXTS)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
TABLES = st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=4), max_size=4)
ROOMS = st.sampled_from(["", " ", "\n", ' # ] } = "\n\t', "\r\n"])
LISTS_OF_TABLES = st.dictionaries(KEYS, st.lists(st.dictionaries(KEYS, VALUES, max_size=2), min_size=1, max_size=3))


def key_text(key: str, draw: st.DataObject) -> str:
    quoted = json.dumps(key, ensure_ascii=False).replace("\x7f", "\\u007f")
    if key and all(c.isascii() and (c.isalnum() or c in "-_") for c in key) and draw.draw(st.booleans()):
        return key
    return quoted


def value_text(value: object, draw: st.DataObject) -> str:
    room = draw.draw(ROOMS)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        plain = all(c.isprintable() for c in value)
        if plain and "'" not in value and draw.draw(st.booleans()):
            return f"'''\n{value}'''" if draw.draw(st.booleans()) else f"'{value}'"
        escaped = json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        return f'""{escaped}""' if draw.draw(st.booleans()) else escaped
    if isinstance(value, list):
        return "[" + room + f",{room}".join(value_text(each, draw) + room for each in value) + "]"
    if isinstance(value, dict):
        pairs = (f"{key_text(key, draw)} = {value_text(each, draw)}" for key, each in value.items())
        return "{ " + ", ".join(pairs) + " }"
    return str(value)


def places(value: object, place: Place = ()) -> Iterator[Place]:
    if place:
        yield place
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in steps:
        yield from places(each, (*place, step))


def document_text(tables: dict[str, dict], lists: dict[str, list[dict]], draw: st.DataObject) -> str:
    text = ""
    for name, table in tables.items():
        text += draw.draw(ROOMS).strip(" ") + f"\n[ {key_text(name, draw)} ]\n"
        text += "".join(f"{key_text(key, draw)} = {value_text(each, draw)}\n" for key, each in table.items())
    for name in sorted(lists.keys() - tables.keys()):
        for table in lists[name]:
            text += f"[[{key_text(name, draw)}]] # c\n"
            text += "".join(f"{key_text(key, draw)}={value_text(each, draw)}\n" for key, each in table.items())
    return text.replace("\r\n", "\n")


def test_finds_what_tomllib_finds() -> None:
    reached: set[str] = set()

    @settings(max_examples=100, deadline=None, derandomize=True)
    @given(TABLES, LISTS_OF_TABLES, st.data())
    def search(tables: dict[str, dict], lists: dict[str, list[dict]], draw: st.DataObject) -> None:
        text = document_text(tables, lists, draw)
        found = positions(text)
        assert set(found) == set(places(tomllib.loads(text)))
        lines = text.split("\n")
        for place, line in found.items():
            if len(place) == 2 and isinstance(place[1], str) and place[1]:
                written = (place[1], json.dumps(place[1], ensure_ascii=False).replace("\x7f", "\\u007f"))
                assert lines[line - 1].startswith(written)
            if len(place) > 2 and line > found[place[:-1]]:
                reached.add("value of several lines")
            if isinstance(place[-1], int) and place[-1] > 0:
                reached.add("second element")
            if len(place) > 4:
                reached.add("deep")
        reached.update(each for each in ("'''", '"""', "[[", "#") if each in text)

    search()
    assert reached >= {"value of several lines", "second element", "deep", "'''", '"""', "[[", "#"}

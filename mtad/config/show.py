"""Writes settings as plain values and as TOML that reads back to the same settings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mtad.config.forms import Address, Listener, MapSource
from mtad.config.settings import Settings


def as_document(settings: Settings) -> dict[str, Any]:
    """Return every setting that has a value, defaults too, as tables, lists, texts and numbers."""
    document = _plain(settings)
    return document if isinstance(document, dict) else {}


def _plain(value: object) -> object:
    if isinstance(value, Path | Address | Listener | MapSource):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if dataclasses.is_dataclass(value):
        pairs = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
        return {name: _plain(each) for name, each in pairs if each is not None}
    return value


def as_toml(settings: Settings) -> str:
    """Return the settings as an mtad.toml that states them all."""
    parts = []
    for name, table in as_document(settings).items():
        lines = [f"{key} = {toml_value(value)}" for key, value in table.items()]
        parts.append("\n".join([f"[{name}]", *lines]))
    return "\n\n".join(parts) + "\n"


def toml_value(value: object) -> str:
    """Write one value on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {toml_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml_value(each) for each in value) + "]"
    if isinstance(value, str):  # JSON's escapes are TOML's, but for DEL, which TOML wants escaped
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)

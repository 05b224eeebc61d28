"""Typed events with stable names, written as logfmt or JSON, one line each.

Nothing here holds credentials or content; values are cut at VALUE_LENGTH_MAX, so that a stranger's input cannot fill
the log.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Mapping
from typing import Literal, Protocol, TextIO

VALUE_LENGTH_MAX = 500
_PLAIN = re.compile(r"[A-Za-z0-9_@.:/+\-<>,\[\]]+\Z")

Value = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]


class Events(Protocol):
    """Where a room reports what it decided."""

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Report one event; `name` is like `mail.accepted`. Never raises."""
        ...


def _logfmt(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = str(value) if value is not None else ""
    return text if _PLAIN.match(text) else json.dumps(text, ensure_ascii=False)


class LineEvents:
    """Writes each event as one line to a text stream."""

    def __init__(
        self,
        stream: TextIO | None = None,
        style: Literal["logfmt", "json"] = "logfmt",
        wall: Callable[[], float] = time.time,
        level: Level = "info",
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._style = style
        self._wall = wall
        self._is_debug = level == "debug"

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Write one line; a log that cannot be written is no reason to stop mail."""
        if level == "debug" and not self._is_debug:
            return
        shown: Mapping[str, Value] = {
            key: value[:VALUE_LENGTH_MAX] if isinstance(value, str) else value for key, value in fields.items()
        }
        wall = self._wall()
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(wall)) + f".{int(wall * 1000) % 1000:03d}Z"
        if self._style == "json":
            line = json.dumps({"at": stamp, "level": level, "event": name, **shown}, ensure_ascii=False)
        else:
            line = " ".join(
                [
                    f"at={stamp}",
                    f"level={level}",
                    f"event={name}",
                    *(f"{k}={_logfmt(v)}" for k, v in shown.items()),
                ]
            )
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


class CollectedEvents:
    """Keeps events in memory: for tests."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Value]]] = []

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Keep one event."""
        self.events.append((name, dict(fields)))

    def named(self, name: str) -> list[dict[str, Value]]:
        """Return the fields of every event of that name, oldest first."""
        return [fields for kept, fields in self.events if kept == name]

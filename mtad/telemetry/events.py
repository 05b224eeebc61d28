"""Typed events with stable names, written as logfmt or JSON, one line each.

Nothing here holds credentials or content; values are cut at VALUE_LENGTH_MAX, so that a stranger's input cannot fill
the log.
"""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable
from typing import Literal, Protocol, TextIO

VALUE_LENGTH_MAX = 500
_PLAIN = re.compile(r"[A-Za-z0-9_@.:/+\-<>,\[\]]+\Z")
# What JSON leaves as it is, and terminals obey, readers take for line ends or UTF-8 has no octets for.
_UNSHOWN = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_encode = json.JSONEncoder(ensure_ascii=False).encode

Value = str | int | float | bool | None
Level = Literal["debug", "info", "warning", "error"]


class Events(Protocol):
    """Where a room reports what it decided."""

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Report one event; `name` is like `mail.accepted`. Never raises."""
        ...


def _json(value: object) -> str:
    return _UNSHOWN.sub(lambda found: f"\\u{ord(found[0]):04x}", _encode(value))


def _logfmt(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "" if value is None else str(value)
    return text if _PLAIN.match(text) else _json(text)


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
        self._second = -1
        self._second_text = ""

    def emit(self, name: str, /, level: Level = "info", **fields: Value) -> None:
        """Write one line; a log that cannot be written is no reason to stop mail."""
        if level == "debug" and not self._is_debug:
            return
        shown = {k: v[:VALUE_LENGTH_MAX] if isinstance(v, str) else v for k, v in fields.items()}
        if self._style == "json":
            line = _json({"at": self._stamp(), "level": level, "event": name, **shown})
        else:
            pairs = [f"{key}={_logfmt(value)}" for key, value in shown.items()]
            line = " ".join((f"at={self._stamp()} level={level} event={name}", *pairs))
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    def _stamp(self) -> str:
        """Return the time, UTC; a second is put into words once."""
        wall = self._wall()
        second = int(wall)
        if second != self._second:
            self._second = second
            self._second_text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return f"{self._second_text}.{int(wall * 1000) % 1000:03d}Z"


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

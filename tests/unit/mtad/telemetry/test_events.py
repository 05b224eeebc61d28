"""One line an event, in both styles, whatever stands in it."""

from __future__ import annotations

import io
import json

import pytest

from mtad.telemetry.events import VALUE_LENGTH_MAX, LineEvents

WALL = 1_800_000_000.25


def test_a_line_of_logfmt() -> None:
    stream = io.StringIO()
    LineEvents(stream, wall=lambda: WALL).emit(
        "mail.accepted", "warning", sender="a@b.example", reply='250 "ok"', seconds=0.1234567, count=3, why=None
    )
    assert stream.getvalue() == (
        "at=2027-01-15T08:00:00.250Z level=warning event=mail.accepted "
        'sender=a@b.example reply="250 \\"ok\\"" seconds=0.123457 count=3 why=""\n'
    )


def test_a_line_of_json() -> None:
    stream = io.StringIO()
    LineEvents(stream, "json", wall=lambda: WALL).emit("mail.accepted", sender="ü@b.example", count=3, is_kept=True)
    assert stream.getvalue().endswith('"sender": "ü@b.example", "count": 3, "is_kept": true}\n')
    assert json.loads(stream.getvalue())["at"] == "2027-01-15T08:00:00.250Z"


def test_every_event_has_its_own_time() -> None:
    stream = io.StringIO()
    times = [WALL, WALL + 0.5, WALL + 0.75, WALL - 1, WALL + 86400]
    events = LineEvents(stream, wall=iter(times).__next__)
    for _ in times:
        events.emit("x")
    assert [line.split()[0].removeprefix("at=2027-01-") for line in stream.getvalue().splitlines()] == [
        "15T08:00:00.250Z",
        "15T08:00:00.750Z",
        "15T08:00:01.000Z",
        "15T07:59:59.250Z",
        "16T08:00:00.250Z",
    ]


@pytest.mark.parametrize("style", ["logfmt", "json"])
def test_no_value_breaks_or_fills_the_line(style: str) -> None:
    stream = io.StringIO()
    LineEvents(stream, "json" if style == "json" else "logfmt").emit("x", text="a\r\nevent=forged" + "b" * 10_000)
    assert stream.getvalue().count("\n") == 1
    assert "\r" not in stream.getvalue()
    assert len(stream.getvalue()) < VALUE_LENGTH_MAX + 100


@pytest.mark.parametrize(("level", "lines"), [("info", 0), ("debug", 1)])
def test_debug_is_written_when_it_is_wanted(level: str, lines: int) -> None:
    stream = io.StringIO()
    LineEvents(stream, level="debug" if level == "debug" else "info").emit("x", "debug")
    assert stream.getvalue().count("\n") == lines


def test_a_log_that_is_closed_stops_nothing() -> None:
    stream = io.StringIO()
    events = LineEvents(stream)
    stream.close()
    events.emit("x")

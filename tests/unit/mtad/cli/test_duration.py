"""Durations and sizes are read and written as people do."""

from __future__ import annotations

import pytest
import typer

from mtad.cli.duration import read_duration, show_count, show_duration, show_octets


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("15m", 900), ("2h", 7200), ("1.5h", 5400), ("3d", 259_200), ("1w", 604_800), (0.0, 0)],
)
def test_reads(text: str | float, seconds: float) -> None:
    assert read_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "h", "-1", "1y", "1 h", "²", "9999999999"])
def test_refuses(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no duration"):
        read_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.25, "0.2 s"), (42, "42 s"), (300, "5 min"), (12_600, "3.5 h"), (86_400 * 12, "12 d")],
)
def test_writes_durations(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text


@pytest.mark.parametrize(
    ("octets", "text"), [(512, "512 B"), (4200, "4.2 kB"), (12_000_000, "12 MB"), (2 * 10**9, "2 GB")]
)
def test_writes_sizes(octets: int, text: str) -> None:
    assert show_octets(octets) == text


@pytest.mark.parametrize(("number", "text"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages")])
def test_writes_counts(number: int, text: str) -> None:
    assert show_count(number, "message") == text

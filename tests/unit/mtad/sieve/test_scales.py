from __future__ import annotations

import pytest

from mtad.sieve.message import Message
from mtad.sieve.scales import SpamScale, VirusScale, level_of, points_in


@pytest.mark.parametrize(
    ("value", "thousandths"),
    [
        ("5.5", 5500),
        ("-0.25", -250),
        ("Yes, score=12.5 required=5", 12500),
        ("+3 (+++)", 3000),
        ("0 / 15.00", 0),
        ("none", None),
        ("v2.1", None),
        ("", None),
    ],
)
def test_points_are_the_first_number_of_a_field(value: str, thousandths: int | None) -> None:
    assert points_in(Message(f"X-Score: {value}\r\n\r\n".encode()), "x-score") == thousandths


def test_the_topmost_field_counts_and_one_that_is_not_there_says_nothing() -> None:
    message = Message(b"X-Score: 3\r\nX-Score: 99\r\n\r\n")
    assert points_in(message, "x-score") == 3000
    assert points_in(message, "x-other") is None


@pytest.mark.parametrize(
    ("points", "percent"), [(-1000, 0), (0, 0), (7500, 50), (14999, 99), (15000, 100), (1 << 40, 100)]
)
def test_percents(points: int, percent: int) -> None:
    assert SpamScale("", 15000).percent(points) == percent


SCALES = (VirusScale("x-virus", 1, ("clean",)), VirusScale("x-virus", 5, ("infected", "found")))


@pytest.mark.parametrize(
    ("value", "level"), [("Clean", 1), ("INFECTED by x", 5), ("clean? found", 5), ("unknown", None), ("", None)]
)
def test_the_worst_level_counts(value: str, level: int | None) -> None:
    assert level_of(Message(f"X-Virus: {value}\r\n\r\n".encode()), SCALES) == level

from __future__ import annotations

import pytest

from mtad.sieve.comparators import COMPARATORS, DEFAULT
from mtad.sieve.regex import GROUPED_LENGTH_MAX, LENGTH_MAX
from mtad.sieve.weights import expression_weight, made_of, steps_of, weight


@pytest.mark.parametrize(
    ("match_type", "keys", "values", "expected"),
    [
        (":is", ["a"] * 1000, ["v"] * 3, 3),
        (":contains", ["a"], ["v"] * 3, 3),
        (":contains", ["a"] * 80, ["v"] * 3, 33),
        (":contains", ["a"] * 8, ["v" * 10240], 2 + 30),
        (":value", ["a"] * 40, ["v"], 11),
        (":matches", ["*a*"] * 32, ["v"], 1 + 32 + 3 + 32),
        (":matches", [], [], 0),
    ],
)
def test_keys_values_and_their_lengths_weigh(
    match_type: str, keys: list[str], values: list[str], expected: int
) -> None:
    assert weight(match_type, keys, DEFAULT)(values) == expected


@pytest.mark.parametrize(
    ("match_type", "keys", "expected"),
    [
        (":is", ["a"] * 10, 30),
        (":contains", ["a" * 2048, "*"], 6 + 2),
        (":matches", ["a*", "?b"], 3 * 2 + 5 * 2),
        (":matches", ["*" * 4096], 3 + 4 + 5 * 4096),
    ],
)
def test_what_is_asked_has_its_price(match_type: str, keys: list[str], expected: int) -> None:
    assert made_of(match_type, keys, DEFAULT) == expected


def test_folding_has_its_price() -> None:
    assert made_of(":is", ["é" * 100], COMPARATORS["i;unicode-casemap"]) == 3 + 50


def test_the_steps_of_an_expression_have_their_price() -> None:
    assert (steps_of(10), steps_of(1000)) == (5, 500)


def test_a_slow_comparator_weighs_by_the_letter() -> None:
    slow = COMPARATORS["i;unicode-casemap"]
    assert weight(":is", ["a"], slow)(["v" * 1000]) == 1001


def test_expressions_weigh_by_their_size_and_what_they_see() -> None:
    assert expression_weight(2048, 1, has_groups=False)(["v" * 100]) == 101
    assert expression_weight(2048, 1, has_groups=False)(["v" * LENGTH_MAX * 2]) == 1 + LENGTH_MAX
    assert expression_weight(8, 1, has_groups=True)(["v" * GROUPED_LENGTH_MAX * 2, "v"]) == 2 + GROUPED_LENGTH_MAX + 1

"""What it costs to hold values against keys, in nodes of the budget; a node is worth about half a microsecond.

The figures are those that were measured at worst, whatever the values; most values cost less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtad.sieve.comparators import Comparator
from mtad.sieve.regex import GROUPED_LENGTH_MAX, LENGTH_MAX

Weigh = Callable[[Sequence[str]], int]

SOURCE = 2  # to ask one for its values
EXPRESSION = 120  # to compile a regular expression, whatever it says
NO_EXPRESSION = 500  # to see that it is none, or too large

_BLOCK = 1024  # characters that are folded and searched for a node
_KEYS: Mapping[str, int] = {":contains": 8, ":value": 4, ":matches": 1}  # looked for in a short value, for a node
_SEARCHED = (":contains", ":matches")
_KEYS_OF_BLOCK = 4
_PATTERN_LENGTH = 32
_WILDCARDS = 2  # looked for in a short value, for a node
_STEPS = 2  # of a regular expression, compiled for a node


def weight(match_type: str, keys: Sequence[str], comparator: Comparator) -> Weigh:
    """Return what weighs values."""
    count = len(keys)
    of_value = 1 + count // _KEYS[match_type] if match_type in _KEYS else 1  # `:is` looks once, whatever the keys
    if match_type == ":matches":
        of_value += sum(map(len, keys)) // _PATTERN_LENGTH + _wildcards(keys) // _WILDCARDS
    of_block = 1 + count // _KEYS_OF_BLOCK if match_type in _SEARCHED else 1
    if not comparator.is_slow:
        return lambda values: of_value * len(values) + sum(map(len, values)) // _BLOCK * of_block
    return lambda values: of_value * len(values) + sum(map(len, values)) * (1 + of_block) // 2


def made_of(match_type: str, keys: Sequence[str], comparator: Comparator) -> int:
    """Return what it costs to make what is asked out of keys."""
    of_patterns = 5 * _wildcards(keys) if match_type == ":matches" else 0
    return 3 * len(keys) + sum(map(len, keys)) // (2 if comparator.is_slow else _BLOCK) + of_patterns


def _wildcards(keys: Sequence[str]) -> int:
    return sum([key.count("*") + key.count("?") for key in keys])


def steps_of(size: int) -> int:
    """Return what the steps of a regular expression cost to compile."""
    return size // _STEPS


def expression_weight(size: int, count: int, *, has_groups: bool) -> Weigh:
    """Return what weighs values for regular expressions of this size in all; the groups of one cost much more."""
    length_max, steps = (GROUPED_LENGTH_MAX, 8) if has_groups else (LENGTH_MAX, 2048)
    return lambda values: count * len(values) + sum(min(len(value), length_max) for value in values) * size // steps

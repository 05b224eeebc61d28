"""What it costs to hold values against keys, in nodes of the budget; a node is worth about half a microsecond.

The figures are those that were measured at worst, whatever the values; most values cost less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtad.sieve.comparators import Comparator
from mtad.sieve.regex import GROUPED_LENGTH_MAX, LENGTH_MAX

Weigh = Callable[[Sequence[str]], int]

EXPRESSION_SIZE = 200  # taken for that of an expression that is not known yet

_BLOCK = 1024  # characters that are folded and searched for a node
_KEYS: Mapping[str, int] = {":contains": 8, ":value": 4, ":matches": 1}  # looked for in a short value, for a node
_SEARCHED = (":contains", ":matches")
_KEYS_OF_BLOCK = 4
_PATTERN_LENGTH = 32


def weight(match_type: str, keys: Sequence[str], comparator: Comparator) -> Weigh:
    """Return what weighs values; of keys that are not known yet the text stands for them."""
    count = len(keys)
    of_value = 1 + count // _KEYS[match_type] if match_type in _KEYS else 1  # `:is` looks once, whatever the keys
    if match_type == ":matches":
        of_value += sum(map(len, keys)) // _PATTERN_LENGTH
    of_block = 1 + count // _KEYS_OF_BLOCK if match_type in _SEARCHED else 1
    if not comparator.is_slow:
        return lambda values: of_value * len(values) + sum(map(len, values)) // _BLOCK * of_block
    return lambda values: of_value * len(values) + sum(map(len, values)) * (1 + of_block) // 2


def expression_weight(size: int, count: int, *, has_groups: bool) -> Weigh:
    """Return what weighs values for regular expressions of this size in all; the groups of one cost much more."""
    length_max, steps = (GROUPED_LENGTH_MAX, 8) if has_groups else (LENGTH_MAX, 2048)
    return lambda values: count * len(values) + sum(min(len(value), length_max) for value in values) * size // steps

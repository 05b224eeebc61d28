"""Match types: how values are held against keys (RFC 5228 §2.7, RFC 5229 §3.2, RFC 5231)."""

from __future__ import annotations

import operator
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import accumulate
from typing import Any, Generic, NamedTuple, TypeVar

from mtad.maps.expression import BadExpression
from mtad.sieve.code import Code, Plain
from mtad.sieve.comparators import COMPARATORS, DEFAULT, Comparator, octet
from mtad.sieve.language import CAPTURES_MAX, ArgumentType, Bound, Tag
from mtad.sieve.lists import LIST_TAG, membership
from mtad.sieve.regex import Expression, expression
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.template import Template
from mtad.sieve.weights import EXPRESSION_SIZE, Weigh, expression_weight, weight
from mtad.sieve.wildcard import Span, Wildcard

_RELATIONAL = "relational"
MATCH_TAGS = (
    Tag(":is", "match"),
    Tag(":contains", "match"),
    Tag(":matches", "match"),
    Tag(":regex", "match", capability="regex"),
    LIST_TAG,
    Tag(":count", "match", ArgumentType.STRING, _RELATIONAL),
    Tag(":value", "match", ArgumentType.STRING, _RELATIONAL),
    Tag(":comparator", value=ArgumentType.STRING),
)

COMPARED_MAX = 10  # values of one test that who listens to a script is told

Source = Callable[[Run], Sequence[str]]  # gives values when it is asked
Found = Callable[[str], bool]  # of a folded value
Spans = Callable[[str], Sequence[Span] | None]  # of a folded value: what was found, and what its wildcards stand for
T = TypeVar("T", Found, Spans)
Question = Callable[[Run], T]
Ask = Callable[[Sequence[Source], Run], bool]

RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


class _Asked(NamedTuple, Generic[T]):
    """What is asked of values: how they are folded, what is asked of each, and what it costs to ask all of them."""

    fold: Callable[[str], Any]
    question: Question[T]
    weigh: Weigh


def compare(bound: Bound, keys: Sequence[Template], sources: Sequence[Source], *, is_remembered: bool = True) -> Code:
    """Make a test: whether its match type finds one of the keys in one of the values.

    The sources are asked in turn until one has it; a count is of the values of all of them (RFC 5231 §5).
    is_remembered   the script may ask what wildcards stood for
    """
    if bound.chosen.get("match") == LIST_TAG.name:
        return membership(bound, keys, sources, is_remembered=is_remembered)
    ask = _ask(bound, keys, is_remembered=is_remembered)
    if bound.unit.outside.tell is not None:
        sources = [_noting(source, bound.compared) for source in sources]
    return Plain(partial(ask, sources))


def _noting(source: Source, compared: list[str]) -> Source:
    """Make a source that notes what it gives, for who listens to the script."""

    def read(run: Run) -> Sequence[str]:
        values = source(run)
        compared.extend(values[: max(0, COMPARED_MAX - len(compared))])
        return values

    return read


def matching(bound: Bound, keys: Sequence[Template]) -> Callable[[Run, Sequence[str]], bool]:
    """Make what asks the same of values that a test has at hand."""
    ask = _ask(bound, keys)
    return lambda run, values: ask((lambda run: values,), run)


def _ask(bound: Bound, keys: Sequence[Template], *, is_remembered: bool = True) -> Ask:
    match_type = bound.chosen.get("match", ":is")
    if is_count(bound):
        return _counted(_found(bound, keys))
    if match_type in _WITH_WILDCARDS and is_remembered and bound.unit.has_captures:
        return _captured(_spanned(bound, keys))
    fold, question, weigh = _found(bound, keys)

    def ask(sources: Sequence[Source], run: Run) -> bool:
        is_found = question(run)
        for source in sources:
            values = source(run)
            run.spend(weigh(values))
            for value in values:
                if is_found(fold(value)):
                    return True
        return False

    return ask


def finder(bound: Bound, keys: Sequence[Template]) -> Question[Found]:
    """Make what tells of a single value, as it is, whether the match type of a command finds a key in it."""
    fold, question, weigh = _found(bound, keys)

    def ask(run: Run) -> Found:
        is_found = question(run)

        def is_found_in(value: str) -> bool:
            run.spend(weigh((value,)))
            return is_found(fold(value))

        return is_found_in

    return ask


def is_count(bound: Bound) -> bool:
    """Tell whether a test asks how many values there are."""
    return bound.chosen.get("match") == ":count"


def _comparator(bound: Bound) -> Comparator:
    given = bound.tag_strings(":comparator")
    if given is None:
        return DEFAULT
    name = given.items[0].value
    comparator = COMPARATORS.get(name)
    if comparator is None:
        bound.fail(given.at, f'unknown comparator "{name}"')
        return DEFAULT
    if comparator.capability and comparator.capability not in bound.unit.required:
        bound.fail(given.at, f'comparator "{name}" needs require "{comparator.capability}"')
    return comparator


def _relation(bound: Bound, match_type: str) -> Callable[[Any, Any], bool]:
    given = bound.tag_strings(match_type)
    name = given.items[0].value if given is not None else ""
    relation = RELATIONS.get(name.lower())
    if relation is None:
        bound.fail(given.at if given is not None else bound.at, f'"{name}" is none of {", ".join(RELATIONS)}')
        return operator.eq
    return relation


def _found(bound: Bound, keys: Sequence[Template]) -> _Asked[Found]:
    """Make what tells whether a key is found in a value."""
    comparator = _comparator(bound)
    match_type = bound.chosen.get("match", ":is")
    if match_type == LIST_TAG.name:
        bound.fail(bound.at, f"{bound.spec.name} cannot be used with {match_type}")
        match_type = ":is"
    if match_type == ":regex":
        found = _expressions(bound, keys, comparator, has_groups=False)
        return _Asked(octet, lambda run: _any_match(found.of(run)), found.weigh)
    relation = _relation(bound, match_type) if match_type in _WITH_RELATION else None
    if match_type in _SUBSTRINGS and not comparator.has_substrings:
        bound.fail(bound.at, f"this comparator cannot be used with {match_type}")
    build = _MATCH_TYPES[match_type] if relation is None else lambda folded: _related(relation, folded)
    return _Asked(comparator.fold, _question(keys, comparator.fold, build), _weigh(bound, keys, comparator))


def _spanned(bound: Bound, keys: Sequence[Template]) -> _Asked[Spans]:
    """Make what tells where a key with wildcards is found in a value."""
    comparator = _comparator(bound)
    if bound.chosen["match"] == ":regex":
        found = _expressions(bound, keys, comparator, has_groups=True)
        return _Asked(octet, lambda run: _first_spans(found.of(run)), found.weigh)
    if not comparator.has_substrings:
        bound.fail(bound.at, "this comparator cannot be used with :matches")
    return _Asked(comparator.fold, _question(keys, comparator.fold, _spans), _weigh(bound, keys, comparator))


def _weigh(bound: Bound, keys: Sequence[Template], comparator: Comparator) -> Weigh:
    return weight(bound.chosen.get("match", ":is"), [key.constant or "" for key in keys], comparator)


def _question(keys: Sequence[Template], fold: Callable[[str], Any], build: Callable[[list[Any]], T]) -> Question[T]:
    """Make what is asked of each value: once if the keys are constant, else anew for each run."""
    constants = [key.constant for key in keys if key.constant is not None]
    if len(constants) == len(keys):
        asked = build([fold(key) for key in constants])
        return lambda run: asked
    return lambda run: build([fold(key.read(run)) for key in keys])


def _counted(asked: _Asked[Found]) -> Ask:
    fold, question, _ = asked
    return lambda sources, run: question(run)(fold(str(sum(len(source(run)) for source in sources))))


def _captured(asked: _Asked[Spans]) -> Ask:
    """Ask as `_ask` does, and remember what the wildcards of the first match stand for."""
    fold, question, weigh = asked

    def ask(sources: Sequence[Source], run: Run) -> bool:
        spans_in = question(run)
        for source in sources:
            values = source(run)
            run.spend(weigh(values))
            for value in values:
                spans = spans_in(fold(value))
                if spans is not None:
                    run.captures = _pieces(value, spans, fold, run.limits.value_length_max)
                    return True
        return False

    return ask


def _pieces(value: str, spans: Sequence[Span], fold: Callable[[str], str], length_max: int) -> list[str]:
    """Cut the spans of the folded value out of the value itself."""
    if len(fold(value)) != len(value):
        ends = list(accumulate(len(fold(letter)) for letter in value))
        spans = [(bisect_right(ends, start), bisect_left(ends, end) + (end > start)) for start, end in spans]
    return [value[start:end][:length_max] for start, end in spans[: CAPTURES_MAX + 1]]


def _related(relation: Callable[[Any, Any], bool], keys: Sequence[Any]) -> Found:
    return lambda value: any(relation(value, key) for key in keys)


def _is(keys: Sequence[Any]) -> Found:
    return frozenset(keys).__contains__


def _contains(keys: Sequence[str]) -> Found:
    return lambda value: any(key in value for key in keys)


def _matches(keys: Sequence[str]) -> Found:
    return _any_match([Wildcard(key) for key in keys])


def _spans(keys: Sequence[str]) -> Spans:
    return _first_spans([Wildcard(key) for key in keys])


_MATCH_TYPES: Mapping[str, Callable[[Sequence[Any]], Found]] = {
    ":is": _is,
    ":contains": _contains,
    ":matches": _matches,
}
_SUBSTRINGS = (":contains", ":matches")
_WITH_WILDCARDS = (":matches", ":regex")
_WITH_RELATION = (":count", ":value")


def _expressions(bound: Bound, keys: Sequence[Template], comparator: Comparator, *, has_groups: bool) -> _Expressions:
    """Compile the keys of `:regex`; those that hold variables anew in each run. It compares values as they are."""
    if not comparator.has_substrings:
        bound.fail(bound.at, "this comparator cannot be used with :regex")

    def compiled(text: str) -> Expression | BadExpression:
        return expression(text, is_case_folding=comparator.is_case_folding, has_groups=has_groups)

    def now(text: str) -> Expression:
        one = compiled(text)
        if isinstance(one, BadExpression):
            raise ScriptFailed(f"no regular expression: {one.why}")
        return one

    made: list[Expression | Template] = []
    for key in keys:
        one = compiled(key.constant) if key.constant is not None else key
        if isinstance(one, BadExpression):
            bound.fail(key.at, f"no regular expression: {one.why}")
        else:
            made.append(one)
    size = sum(one.size if isinstance(one, Expression) else EXPRESSION_SIZE for one in made)
    constant = [one for one in made if isinstance(one, Expression)]
    weigh = expression_weight(size, len(keys), has_groups=has_groups)
    if len(constant) == len(made):
        return _Expressions(lambda run: constant, weigh)
    return _Expressions(lambda run: [one if isinstance(one, Expression) else now(one.read(run)) for one in made], weigh)


class _Expressions(NamedTuple):
    """The regular expressions of a test, and what it costs to look for them."""

    of: Callable[[Run], Sequence[Expression]]
    weigh: Weigh


def _first_spans(among: Sequence[Expression] | Sequence[Wildcard]) -> Spans:
    return lambda value: next((spans for one in among if (spans := one.spans(value)) is not None), None)


def _any_match(among: Sequence[Expression] | Sequence[Wildcard]) -> Found:
    return lambda value: any(one.is_match(value) for one in among)

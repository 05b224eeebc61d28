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
from mtad.sieve.weights import EXPRESSION, NO_EXPRESSION, SOURCE, Weigh, expression_weight, made_of, steps_of, weight
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
Ask = Callable[[Sequence[Source], Run], bool]

RELATIONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
}


class _Question(NamedTuple, Generic[T]):
    """What is asked of each value, and what it costs to ask all of them."""

    of: T
    weigh: Weigh


class _Asked(NamedTuple, Generic[T]):
    """How values are folded, and what is asked of them in a run."""

    fold: Callable[[str], Any]
    question: Callable[[Run], _Question[T]]


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
    if bound.unit.outside.tell is None:
        return lambda run, values: ask((lambda run: values,), run)
    return lambda run, values: ask((_noting(lambda run: values, bound.compared),), run)


def _ask(bound: Bound, keys: Sequence[Template], *, is_remembered: bool = True) -> Ask:
    match_type = bound.chosen.get("match", ":is")
    if is_count(bound):
        return _counted(_found(bound, keys))
    if match_type in _WITH_WILDCARDS and is_remembered and bound.unit.has_captures:
        return _captured(_spanned(bound, keys))
    fold, question = _found(bound, keys)

    def ask(sources: Sequence[Source], run: Run) -> bool:
        is_found, weigh = question(run)
        for source in sources:
            values = source(run)
            run.spend(SOURCE + weigh(values))
            for value in values:
                if is_found(fold(value)):
                    return True
        return False

    return ask


def finder(bound: Bound, keys: Sequence[Template]) -> Callable[[Run], Found]:
    """Make what tells of a single value, as it is, whether the match type of a command finds a key in it."""
    fold, question = _found(bound, keys)

    def ask(run: Run) -> Found:
        is_found, weigh = question(run)

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
        return _Asked(octet, _expressions(bound, keys, comparator, _any_match, has_groups=False))
    relation = _relation(bound, match_type) if match_type in _WITH_RELATION else None
    if match_type in _SUBSTRINGS and not comparator.has_substrings:
        bound.fail(bound.at, f"this comparator cannot be used with {match_type}")
    build = _MATCH_TYPES[match_type] if relation is None else lambda folded: _related(relation, folded)
    return _Asked(comparator.fold, _question(bound, keys, comparator, build))


def _spanned(bound: Bound, keys: Sequence[Template]) -> _Asked[Spans]:
    """Make what tells where a key with wildcards is found in a value."""
    comparator = _comparator(bound)
    if bound.chosen["match"] == ":regex":
        return _Asked(octet, _expressions(bound, keys, comparator, _first_spans, has_groups=True))
    if not comparator.has_substrings:
        bound.fail(bound.at, "this comparator cannot be used with :matches")
    return _Asked(comparator.fold, _question(bound, keys, comparator, _spans))


def _question(
    bound: Bound, keys: Sequence[Template], comparator: Comparator, build: Callable[[list[Any]], T]
) -> Callable[[Run], _Question[T]]:
    """Make what is asked of each value: once if the keys are constant, else anew for each run."""
    match_type, fold = bound.chosen.get("match", ":is"), comparator.fold

    def question(texts: Sequence[str]) -> _Question[T]:
        return _Question(build([fold(text) for text in texts]), weight(match_type, texts, comparator))

    constants = [key.constant for key in keys if key.constant is not None]
    if len(constants) == len(keys):
        may = bound.spend(made_of(match_type, constants, comparator))
        asked = question(constants if may else ())
        return lambda run: asked

    def ask(run: Run) -> _Question[T]:
        texts = [key.read(run) for key in keys]
        run.spend(made_of(match_type, texts, comparator))
        return question(texts)

    return ask


def _counted(asked: _Asked[Found]) -> Ask:
    fold, question = asked

    def ask(sources: Sequence[Source], run: Run) -> bool:
        run.spend(SOURCE * len(sources))
        return question(run).of(fold(str(sum(len(source(run)) for source in sources))))

    return ask


def _captured(asked: _Asked[Spans]) -> Ask:
    """Ask as `_ask` does, and remember what the wildcards of the first match stand for."""
    fold, question = asked

    def ask(sources: Sequence[Source], run: Run) -> bool:
        spans_in, weigh = question(run)
        for source in sources:
            values = source(run)
            run.spend(SOURCE + weigh(values))
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


def _expressions(
    bound: Bound,
    keys: Sequence[Template],
    comparator: Comparator,
    build: Callable[[Sequence[Expression]], T],
    *,
    has_groups: bool,
) -> Callable[[Run], _Question[T]]:
    """Compile the keys of `:regex`; those that hold variables anew in each run. It compares values as they are."""
    if not comparator.has_substrings:
        bound.fail(bound.at, "this comparator cannot be used with :regex")

    def question(expressions: Sequence[Expression]) -> _Question[T]:
        size = sum([one.size for one in expressions])
        return _Question(build(expressions), expression_weight(size, len(keys), has_groups=has_groups))

    def compiled(text: str, spend: Callable[[int], object]) -> Expression | BadExpression:
        spend(EXPRESSION)
        one = expression(text, is_case_folding=comparator.is_case_folding, has_groups=has_groups)
        spend(steps_of(one.size) if isinstance(one, Expression) else NO_EXPRESSION)
        return one

    def now(text: str, run: Run) -> Expression:
        one = compiled(text, run.spend)
        if isinstance(one, BadExpression):
            raise ScriptFailed(f"no regular expression: {one.why}")
        return one

    made: list[Expression | Template] = []
    for key in keys:
        if not bound.spend(0):
            break
        one = compiled(key.constant, bound.spend) if key.constant is not None else key
        if isinstance(one, BadExpression):
            bound.fail(key.at, f"no regular expression: {one.why}")
        else:
            made.append(one)
    constant = [one for one in made if isinstance(one, Expression)]
    if len(constant) == len(made):
        asked = question(constant)
        return lambda run: asked
    return lambda run: question([one if isinstance(one, Expression) else now(one.read(run), run) for one in made])


def _first_spans(among: Sequence[Expression] | Sequence[Wildcard]) -> Spans:
    return lambda value: next((spans for one in among if (spans := one.spans(value)) is not None), None)


def _any_match(among: Sequence[Expression] | Sequence[Wildcard]) -> Found:
    return lambda value: any(one.is_match(value) for one in among)

"""Maps: the tests `lookup` and `validrcpt` (vnd.mtad.lookup).

    lookup [":into" <variable>] [":onerror" <string>] [":each"] [COMPARATOR] [MATCH-TYPE]
           <map: string> <key: string> [<values: string-list>]
    validrcpt [":onerror" <string>]         whether "map:recipients" has the recipient, or all of its domain

A map that cannot be asked ends the stage for now, unless `:onerror` says what the test is to answer then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from mtad.maps.answer import Absent, Answer, AtOnce, Unavailable
from mtad.sieve.addresses import domain, user, whole
from mtad.sieve.capabilities.variables import CAPABILITY as VARIABLES
from mtad.sieve.capabilities.variables import writer_of
from mtad.sieve.code import Code, Plain, Waiting, constant
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.lists import PREFIX, looked_up, named_map
from mtad.sieve.match import MATCH_TAGS, matching
from mtad.sieve.onerror import ON_ERROR_TAG, TEMPFAIL, on_error
from mtad.sieve.run import Run

_RECIPIENTS = "recipients"  # the map that validrcpt asks
_WORDS = re.compile(r"[,\s]+")

Judge = Callable[[Run, Answer], bool]


def _lookup(bound: Bound) -> Code:
    found = named_map(bound, bound.string(0), bound.strings(0).at)
    key, judge = bound.template(bound.strings(1).items[0]), _judge(bound)
    if found is None:
        return constant(False)
    if isinstance(found, AtOnce):
        here = found
        return Plain(lambda run: judge(run, looked_up(run, here, key.read(run))))
    ask = found.ask

    async def wait(run: Run) -> bool:
        return judge(run, await ask(key.read(run)))

    return Waiting(wait)


def _judge(bound: Bound) -> Judge:
    """Make what an answer comes to."""
    failed = on_error(bound, bound.strings(0).items[0].value, TEMPFAIL)
    into = bound.tag_strings(":into")
    write = writer_of(bound, into.items[0]) if into is not None else None
    has_values = len(bound.positional) == len(bound.spec.positional)
    is_match = matching(bound, bound.templates(2)) if has_values else None
    is_each = bound.has(":each")
    if not has_values and (is_each or bound.chosen.get("match") or bound.has(":comparator")):
        bound.fail(bound.at, "lookup needs values for what its tags say of them")

    def judge(run: Run, answer: Answer) -> bool:
        if isinstance(answer, Unavailable):
            return failed(run, answer.why)
        if isinstance(answer, Absent):
            return False
        if write is not None:
            write(run, answer.value)
        return is_match is None or is_match(run, _words(answer.value) if is_each else (answer.value,))

    return judge


def _words(value: str) -> Sequence[str]:
    return [word for word in _WORDS.split(value) if word]


def _validrcpt(bound: Bound) -> Code:
    name = f"{PREFIX}{_RECIPIENTS}"
    found, failed = named_map(bound, name, bound.at), on_error(bound, name, TEMPFAIL)
    if found is None:
        return constant(False)

    separators = bound.unit.defined.separators
    if isinstance(found, AtOnce):
        here = found

        def look(run: Run) -> bool:
            for key in _keys(run.facts.envelope("to")[0], separators):
                answer = looked_up(run, here, key)
                if not isinstance(answer, Absent):
                    return failed(run, answer.why) if isinstance(answer, Unavailable) else True
            return False

        return Plain(look)
    ask = found.ask

    async def wait(run: Run) -> bool:
        for key in _keys(run.facts.envelope("to")[0], separators):
            answer = await ask(key)
            if not isinstance(answer, Absent):
                return failed(run, answer.why) if isinstance(answer, Unavailable) else True
        return False

    return Waiting(wait)


def _keys(address: str, separators: str) -> Iterator[str]:
    """Yield what a map may have of a recipient, as Postfix asks: it, without its detail, all of its domain."""
    given = whole(address) or ""
    yield given
    host, name = domain(address), user(address, separators) or ""
    plain = f"{name}@{host}" if host else name
    if plain != given:
        yield plain
    if host:
        yield f"@{host}"


LOOKUP = (
    Spec(
        "validrcpt",
        Kind.TEST,
        _validrcpt,
        capabilities=("vnd.mtad.lookup",),
        tags=(ON_ERROR_TAG,),
        stages=("rcpt",),
    ),
    Spec(
        "lookup",
        Kind.TEST,
        _lookup,
        capabilities=("vnd.mtad.lookup",),
        tags=(
            *MATCH_TAGS,
            Tag(":into", value=ArgumentType.STRING, capability=VARIABLES),
            Tag(":each"),
            ON_ERROR_TAG,
        ),
        positional=(ArgumentType.STRING, ArgumentType.TEXT, ArgumentType.TEXTS),
        optional=1,
    ),
)

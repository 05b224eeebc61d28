"""What a policy limits (vnd.mtad.limits).

    ratelimit [":key" <string>] [":cost" <number>] [":peek"] [":onerror" <string>] <limit: number> <seconds: number>
    greylist  [":key" <string>] [":delay" <number>] [":window" <number>] [":lifetime" <number>] [":onerror" <string>]
    concurrency [":key" <string>] [":onerror" <string>] <limit: number>

Without a key rates and places are of the client's network, in each stage by itself, and a greylist knows the client's
network, reverse-path and recipient together. Where the counters cannot be asked nobody is over a limit, and all are
known, unless `:onerror` says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from mtad.limits.networks import network_of
from mtad.limits.questions import Answer, Counted, Greylisting, Rate, Unknown, counter_of
from mtad.maps.answer import folded
from mtad.sieve.code import Code, Waiting
from mtad.sieve.language import SESSION_STAGES, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.onerror import ON_ERROR_TAG, on_error
from mtad.sieve.run import Run
from mtad.sieve.template import Read

LIMIT_MAX = 1_000_000_000
RATE_SECONDS_MAX = 30 * 86400
KNOWN_SECONDS_MAX = 90 * 86400
GREYLIST_IPV4_BITS = 24  # those who send much come again from a neighbour
_SECONDS_DEFAULT = {":delay": 300, ":window": 2 * 86400, ":lifetime": 35 * 86400}
_OF_TRANSACTION = ("mail", "rcpt", "data")
_WITH_RECIPIENT = ("rcpt", "data")
_DIGITS = re.compile("[0-9]+")
_CAPABILITY = ("vnd.mtad.limits",)
_STAGES = SESSION_STAGES  # not what runs again with each attempt
_NUMBER = ArgumentType.NUMBER
_KEY = Tag(":key", value=ArgumentType.TEXT)


def _ratelimit(bound: Bound) -> Code:
    limit, seconds = bound.number(0), bound.number(1)
    given = bound.tag_number(":cost")
    cost = 1 if given is None else given.value
    if not 1 <= limit <= LIMIT_MAX:
        return bound.fail(bound.at, f"a limit is 1 to {LIMIT_MAX}")
    if not 1 <= seconds <= RATE_SECONDS_MAX:
        return bound.fail(bound.at, f"a rate is of 1 to {RATE_SECONDS_MAX} seconds")
    if not 1 <= cost <= limit:
        return bound.fail(bound.at, f"a cost is 1 to {limit}, which is the limit")
    key, is_peek, limits = _key(bound), bound.has(":peek"), bound.unit.outside.limits

    def ask(run: Run) -> Awaitable[Answer]:
        return limits.ask(Rate(counter_of("rate", str(seconds), key(run)), limit, seconds, cost, is_peek))

    return _limiting(bound, ask, lambda answer: f"{answer.count} of {limit} in {seconds} s")


def _concurrency(bound: Bound) -> Code:
    limit, is_of_transaction = bound.number(0), bound.stage in _OF_TRANSACTION
    if not 1 <= limit <= LIMIT_MAX:
        return bound.fail(bound.at, f"a limit is 1 to {LIMIT_MAX}")
    key, limits = _key(bound), bound.unit.outside.limits

    async def ask(run: Run) -> Answer:
        if run.holder is None:
            return Unknown("there is no session that could hold a place")
        counter = counter_of("concurrency", key(run))
        return await run.holder.take(limits, counter, limit, is_of_transaction=is_of_transaction)

    return _limiting(bound, ask, lambda answer: f"{answer.count} of {limit}")


def _greylist(bound: Bound) -> Code:
    delay, window, lifetime = (_seconds(bound, tag) for tag in _SECONDS_DEFAULT)
    if not 1 <= delay < window:
        return bound.fail(bound.at, f"a delay is 1 second at least, and shorter than the window, which is {window}")
    if max(window, lifetime) > KNOWN_SECONDS_MAX:
        return bound.fail(bound.at, f"window and lifetime are {KNOWN_SECONDS_MAX} seconds at most")
    if not bound.has(_KEY.name) and bound.stage not in _WITH_RECIPIENT:
        return bound.fail(bound.at, f"where no recipient is known, greylist needs {_KEY.name}")
    key, limits = _key(bound) if bound.has(_KEY.name) else _triplet, bound.unit.outside.limits

    def ask(run: Run) -> Awaitable[Answer]:
        return limits.ask(Greylisting(counter_of("greylist", key(run)), delay, window, lifetime))

    return _limiting(bound, ask, lambda answer: f"{answer.count} s to wait" if answer.is_over else "known")


def _limiting(bound: Bound, ask: Callable[[Run], Awaitable[Answer]], said: Callable[[Counted], str]) -> Code:
    """Make a test of whether it is too much; `said` is what who listens to the script hears of the answer."""
    failed = on_error(bound, bound.spec.name, "false")
    compared = bound.compared if bound.unit.outside.tell is not None else None

    async def is_over(run: Run) -> bool:
        answer = await ask(run)
        if isinstance(answer, Unknown):
            return failed(run, answer.why)
        if compared is not None:
            compared.append(said(answer))
        return answer.is_over

    return Waiting(is_over)


def _seconds(bound: Bound, tag: str) -> int:
    given = bound.tag_number(tag)
    return given.value if given is not None else _SECONDS_DEFAULT[tag]


def _triplet(run: Run) -> str:
    """Return what is known by itself: the numbers in a reverse-path stand for any, as VERP changes them each time."""
    network = network_of(run.facts.environment("remote-ip"), GREYLIST_IPV4_BITS)
    name, at, host = run.envelope("from")[0].rpartition("@")
    return f"{network} {folded(_DIGITS.sub('#', name) + at + host)} {folded(','.join(run.envelope('to')))}"


def _key(bound: Bound) -> Read:
    """Make what reads by which key is counted."""
    given = bound.tag_template(":key")
    if given is not None:
        read = given.read
        return lambda run: f"key {folded(read(run))}"
    stage = bound.stage
    return lambda run: f"{stage} {network_of(run.facts.environment('remote-ip'))}"


LIMITS = (
    Spec(
        "concurrency",
        Kind.TEST,
        _concurrency,
        capabilities=_CAPABILITY,
        tags=(_KEY, ON_ERROR_TAG),
        positional=(_NUMBER,),
        stages=_STAGES,
    ),
    Spec(
        "greylist",
        Kind.TEST,
        _greylist,
        capabilities=_CAPABILITY,
        tags=(_KEY, *(Tag(tag, value=_NUMBER) for tag in _SECONDS_DEFAULT), ON_ERROR_TAG),
        stages=_STAGES,
    ),
    Spec(
        "ratelimit",
        Kind.TEST,
        _ratelimit,
        capabilities=_CAPABILITY,
        tags=(_KEY, Tag(":cost", value=_NUMBER), Tag(":peek"), ON_ERROR_TAG),
        positional=(_NUMBER, _NUMBER),
        stages=_STAGES,
    ),
)

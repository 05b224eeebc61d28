"""What a policy limits (vnd.mtad.limits).

    ratelimit [":key" <string>] [":cost" <number>] [":peek"] [":onerror" <string>] <limit: number> <seconds: number>

Without a key the client's network counts, in each stage by itself. Where the counters cannot be asked nobody is over a
limit, unless `:onerror` says otherwise.
"""

from __future__ import annotations

from mtad.limits.networks import network_of
from mtad.limits.questions import Rate, Unknown, counter_of
from mtad.maps.answer import folded
from mtad.sieve.code import Code, Waiting
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.onerror import ON_ERROR_TAG, on_error
from mtad.sieve.run import Run
from mtad.sieve.template import Read

LIMIT_MAX = 1_000_000_000
RATE_SECONDS_MAX = 30 * 86400
_CAPABILITY = ("vnd.mtad.limits",)
_STAGES = ("connect", "ehlo", "auth", "mail", "rcpt", "data")  # not what runs again with each attempt
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
    key, is_peek = _key(bound), bound.has(":peek")
    limits, failed = bound.unit.outside.limits, on_error(bound, "ratelimit", "false")
    compared = bound.compared if bound.unit.outside.tell is not None else None

    async def ask(run: Run) -> bool:
        counter = counter_of("rate", str(seconds), key(run))
        answer = await limits.ask(Rate(counter, limit, seconds, cost, is_peek))
        if isinstance(answer, Unknown):
            return failed(run, answer.why)
        if compared is not None:
            compared.append(f"{answer.count} of {limit} in {seconds} s")
        return answer.is_over

    return Waiting(ask)


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
        "ratelimit",
        Kind.TEST,
        _ratelimit,
        capabilities=_CAPABILITY,
        tags=(_KEY, Tag(":cost", value=_NUMBER), Tag(":peek"), ON_ERROR_TAG),
        positional=(_NUMBER, _NUMBER),
        stages=_STAGES,
    ),
)

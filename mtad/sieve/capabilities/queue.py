"""What goes into the queue, and how long it stays there: vnd.mtad.queue."""

from __future__ import annotations

from mtad.sieve.actions import Enqueue, Retry
from mtad.sieve.code import Code, perform
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag

INTERVALS_MAX = 64
SECONDS_MAX = 365 * 86400
_CAPABILITY = ("vnd.mtad.queue",)


def _queue(bound: Bound) -> Code:
    return perform(Enqueue(on_transient=bound.has(":transient")), is_terminal=False)


def _retry(bound: Bound) -> Code:
    expire = bound.tag_number(":expire")
    warn = bound.tag_number(":delaydsn")
    given = bound.tag_strings(":intervals")
    if expire is None and given is None and warn is None:
        return bound.fail(bound.at, "retry needs :intervals, :expire or :delaydsn")
    if warn is not None and warn.value > SECONDS_MAX:
        return bound.fail(warn.at, f":delaydsn is 0 (never) to {SECONDS_MAX} seconds")
    if expire is not None and not 1 <= expire.value <= SECONDS_MAX:
        return bound.fail(expire.at, f":expire is 1 to {SECONDS_MAX} seconds")
    intervals: list[int] = []
    for item in given.items if given is not None else ():
        is_number = item.value.isascii() and item.value.isdecimal() and len(item.value) <= len(str(SECONDS_MAX))
        if not is_number or not 1 <= int(item.value) <= SECONDS_MAX:
            return bound.fail(item.at, f'"{item.value}" is no interval: 1 to {SECONDS_MAX} seconds')
        intervals.append(int(item.value))
    if len(intervals) > INTERVALS_MAX:
        return bound.fail(bound.at, f"retry may have {INTERVALS_MAX} intervals")
    plan = Retry(
        tuple(intervals) if given is not None else None,
        expire.value if expire is not None else None,
        warn.value if warn is not None else None,
    )
    return perform(plan, is_terminal=False)


QUEUE = (
    Spec("queue", Kind.COMMAND, _queue, capabilities=_CAPABILITY, tags=(Tag(":transient"),), stages=("deliver",)),
    Spec(
        "retry",
        Kind.COMMAND,
        _retry,
        capabilities=_CAPABILITY,
        tags=(
            Tag(":intervals", value=ArgumentType.STRINGS),
            Tag(":expire", value=ArgumentType.NUMBER),
            Tag(":delaydsn", value=ArgumentType.NUMBER),
        ),
        stages=("deliver",),
    ),
)

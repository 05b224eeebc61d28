"""What was seen before: the test `duplicate` (RFC 7352)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from mtad.limits.questions import Rate, Unknown, counter_of
from mtad.mail.verdict import Seen
from mtad.sieve.capabilities.limits import RATE_SECONDS_MAX
from mtad.sieve.code import Code, Waiting
from mtad.sieve.doors import Sighting
from mtad.sieve.language import OUTSIDE, ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.onerror import on_error
from mtad.sieve.run import Run, ScriptFailed
from mtad.sieve.sources import is_field_name

SECONDS_DEFAULT = 7 * 86400
SECONDS_MAX = 90 * 86400
_MESSAGE_ID = "message-id"
_OF_WHAT = "of what"


def _duplicate(bound: Bound) -> Code:
    handle, unique = bound.tag_template(":handle"), bound.tag_template(":uniqueid")
    header = bound.tag_string(":header")
    if header is not None and not is_field_name(header):
        return bound.fail(bound.at, f'"{header}" is no name of a field')
    name = (header or _MESSAGE_ID).lower()
    given = bound.tag_number(":seconds")
    seconds = min(given.value, SECONDS_MAX) if given is not None else SECONDS_DEFAULT
    is_last = bound.has(":last")
    is_known = _known_at_door if bound.stage == OUTSIDE else _known_to_counters(bound)

    async def ask(run: Run) -> bool:
        values = [unique.read(run)] if unique is not None else run.message().values(name)[:1]
        if not values or not values[0]:
            return False  # §3.1: nothing to know it by
        of = handle.read(run) if handle is not None else ""
        return await is_known(run, Sighting(of, values[0], seconds, is_last))

    return Waiting(ask)


async def _known_at_door(run: Run, sighting: Sighting) -> bool:
    if run.doors.seen is None:
        raise ScriptFailed("what was seen before is not known here")
    return await run.doors.seen(sighting)


def _known_to_counters(bound: Bound) -> Callable[[Run, Sighting], Awaitable[bool]]:
    """Make what asks a policy's counters. What is seen is counted when its message is accepted: else it comes again."""
    limits, failed = bound.unit.outside.limits, on_error(bound, "duplicate", "false")

    async def ask(run: Run, sighting: Sighting) -> bool:
        seconds = min(max(sighting.seconds, 1), RATE_SECONDS_MAX)
        counter = counter_of("duplicate", str(seconds), sighting.handle, sighting.value)
        answer = await limits.ask(Rate(counter, limit=1, seconds=seconds, is_peek=True))
        run.see(Seen(counter, seconds, sighting.is_last))
        return failed(run, answer.why) if isinstance(answer, Unknown) else answer.is_over

    return ask


DUPLICATE = (
    Spec(
        "duplicate",
        Kind.TEST,
        _duplicate,
        capabilities=("duplicate",),
        tags=(
            Tag(":handle", value=ArgumentType.TEXT),
            Tag(":header", _OF_WHAT, ArgumentType.STRING),
            Tag(":uniqueid", _OF_WHAT, ArgumentType.TEXT),
            Tag(":seconds", value=ArgumentType.NUMBER),
            Tag(":last"),
        ),
        stages=(OUTSIDE, "data"),
    ),
)

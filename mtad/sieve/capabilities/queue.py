"""What goes into the queue, how long it stays there, and what becomes of what is not delivered: vnd.mtad.queue."""

from __future__ import annotations

import re

from mtad.mail.reply import Reply
from mtad.sieve.actions import Bounce, Defer, Enqueue, Hold, NameQueue, Prioritise, Retry
from mtad.sieve.code import Code, Plain, perform, sequence
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.match import MATCH_TAGS, compare

INTERVALS_MAX = 64
SECONDS_MAX = 365 * 86400
PRIORITY_MAX = 9
NAMES_MAX = 64  # of queues, in one policy
ATTEMPTS_MIN, ATTEMPTS_MAX = 2, 10_000  # the first one may have been made while the client waited
REASON_LENGTH_MAX = 200  # of a hold, and of what is put off
_CAPABILITY = ("vnd.mtad.queue",)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}\Z")
_FAILED = 500
_DEFAULT_CODE, _DEFAULT_STATUS = 554, "5.0.0"
_STATUS = re.compile(r"5\.[0-9]{1,3}\.[0-9]{1,3}\Z")
_ITEMS = {
    **{name: f"vnd.mtad.last-{name}" for name in ("code", "enhanced", "text", "host", "class")},
    **{name: f"vnd.mtad.{name}" for name in ("attempts", "age")},
}


def _hold(bound: Bound) -> Code:
    return _held(bound, "by policy")


def _quarantine(bound: Bound) -> Code:
    name = bound.string(0)
    if not name:
        return bound.fail(bound.strings(0).at, "a quarantine needs a name")
    return _held(bound, f"quarantine {name}")


def _held(bound: Bound, why: str) -> Code:
    """Make what holds the message; there is one for all its recipients."""
    if bound.stands_in("foreachrcpt"):
        return bound.fail(bound.at, f"{bound.spec.name} cannot stand in foreachrcpt")
    reason = bound.tag_template(":reason")
    if reason is None:
        return perform(Hold(why), is_terminal=False)
    read = reason.read
    return Plain(lambda run: run.act(Hold(f"{why}: {read(run)}"[:REASON_LENGTH_MAX])))


def _queue(bound: Bound) -> Code:
    if bound.stage == "data":
        if bound.has(":transient"):
            return bound.fail(bound.at, 'queue :transient must stand in stage "deliver"')
        if bound.stands_in("foreachrcpt"):
            return bound.fail(bound.at, "queue cannot stand in foreachrcpt")
    after, is_transient = bound.tag_number(":after"), bound.has(":transient")
    if after is not None and is_transient:
        return bound.fail(after.at, "queue :transient has no :after: the retry plan says when it is tried again")
    if after is not None and not 1 <= after.value <= SECONDS_MAX:
        return bound.fail(after.at, f":after is 1 to {SECONDS_MAX} seconds")
    if bound.has(":name") or bound.has(":priority"):
        return _marked(bound, is_alone=after is None and not is_transient)
    return perform(Enqueue(is_transient, after.value if after is not None else 0), is_terminal=False)


def _marked(bound: Bound, *, is_alone: bool) -> Code:
    """Make what says how that waits which comes to wait."""
    name, priority = bound.tag_strings(":name"), bound.tag_number(":priority")
    if not is_alone:
        return bound.fail(bound.at, "queue :name and :priority stand alone: they queue nothing by themselves")
    if priority is not None and priority.value > PRIORITY_MAX:
        return bound.fail(priority.at, f":priority is 0 (as most mail) to {PRIORITY_MAX} (first)")
    if name is not None and not _NAME.match(name.items[0].value):
        return bound.fail(name.at, f'"{name.items[0].value}" is no name of a queue')
    marks: list[NameQueue | Prioritise] = [] if priority is None else [Prioritise(priority.value)]
    if name is not None:
        known = bound.unit.defined.queue_names
        known.add(name.items[0].value)
        if len(known) > NAMES_MAX:
            return bound.fail(name.at, f"a policy may name {NAMES_MAX} queues")
        marks.append(NameQueue(name.items[0].value))
    return sequence([perform(mark, is_terminal=False) for mark in marks], len(marks))


def _retry(bound: Bound) -> Code:
    expire = bound.tag_number(":expire")
    warn = bound.tag_number(":delaydsn")
    attempts = bound.tag_number(":attempts")
    given = bound.tag_strings(":intervals")
    if expire is None and given is None and warn is None and attempts is None:
        return bound.fail(bound.at, "retry needs :intervals, :expire, :attempts or :delaydsn")
    if attempts is not None and not ATTEMPTS_MIN <= attempts.value <= ATTEMPTS_MAX:
        return bound.fail(attempts.at, f":attempts is {ATTEMPTS_MIN} to {ATTEMPTS_MAX}")
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
        attempts.value if attempts is not None else None,
    )
    return perform(plan, is_terminal=False)


def _bounce(bound: Bound) -> Code:
    code, enhanced = bound.tag_number(":code"), bound.tag_strings(":enhanced")
    if code is not None and not _FAILED <= code.value < _FAILED + 100:
        return bound.fail(code.at, f"bounce answers 5xx, not {code.value}")
    status = enhanced.items[0].value if enhanced is not None else _DEFAULT_STATUS
    if enhanced is not None and not _STATUS.match(status):
        return bound.fail(enhanced.at, f'bounce needs an enhanced code 5.x.x, not "{status}"')
    number, reason = code.value if code is not None else _DEFAULT_CODE, bound.templates(0)[0]
    is_silent = bound.has(":silent")
    if reason.constant is not None:
        return perform(Bounce(Reply.of(number, status, reason.constant), is_silent), is_terminal=True)
    return Plain(lambda run: run.act(Bounce(Reply.of(number, status, reason.read(run)), is_silent), is_terminal=True))


def _defer(bound: Bound) -> Code:
    after = bound.tag_number(":after")
    if after is not None and not 1 <= after.value <= SECONDS_MAX:
        return bound.fail(after.at, f":after is 1 to {SECONDS_MAX} seconds")
    seconds = after.value if after is not None else None
    if not bound.positional:
        return perform(Defer(seconds), is_terminal=True)
    reason = bound.templates(0)[0]
    return Plain(lambda run: run.act(Defer(seconds, reason.read(run)[:REASON_LENGTH_MAX]), is_terminal=True))


def _outcome(bound: Bound) -> Code:
    item = bound.strings(0).items[0]
    name = _ITEMS.get(item.value.lower())
    if name is None:
        return bound.fail(item.at, f'unknown item "{item.value}": one of {", ".join(_ITEMS)}')
    return compare(bound, bound.templates(1), [lambda run: (run.facts.environment(name),)])


QUEUE = (
    Spec(
        "hold",
        Kind.COMMAND,
        _hold,
        capabilities=_CAPABILITY,
        tags=(Tag(":reason", value=ArgumentType.TEXT),),
        stages=("data",),
    ),
    Spec(
        "quarantine",
        Kind.COMMAND,
        _quarantine,
        capabilities=_CAPABILITY,
        tags=(Tag(":reason", value=ArgumentType.TEXT),),
        positional=(ArgumentType.STRING,),
        stages=("data",),
    ),
    Spec(
        "bounce",
        Kind.COMMAND,
        _bounce,
        capabilities=_CAPABILITY,
        tags=(
            Tag(":code", value=ArgumentType.NUMBER),
            Tag(":enhanced", value=ArgumentType.STRING),
            Tag(":silent"),
        ),
        positional=(ArgumentType.TEXT,),
        stages=("queue",),
    ),
    Spec(
        "defer",
        Kind.COMMAND,
        _defer,
        capabilities=_CAPABILITY,
        tags=(Tag(":after", value=ArgumentType.NUMBER),),
        positional=(ArgumentType.TEXT,),
        optional=1,
        stages=("queue",),
    ),
    Spec(
        "outcome",
        Kind.TEST,
        _outcome,
        capabilities=_CAPABILITY,
        tags=MATCH_TAGS,
        positional=(ArgumentType.STRING, ArgumentType.TEXTS),
        stages=("queue",),
    ),
    Spec(
        "queue",
        Kind.COMMAND,
        _queue,
        capabilities=_CAPABILITY,
        tags=(
            Tag(":transient"),
            Tag(":after", value=ArgumentType.NUMBER),
            Tag(":name", value=ArgumentType.STRING),
            Tag(":priority", value=ArgumentType.NUMBER),
        ),
        stages=("data", "deliver"),
    ),
    Spec(
        "retry",
        Kind.COMMAND,
        _retry,
        capabilities=_CAPABILITY,
        tags=(
            Tag(":intervals", value=ArgumentType.STRINGS),
            Tag(":expire", value=ArgumentType.NUMBER),
            Tag(":attempts", value=ArgumentType.NUMBER),
            Tag(":delaydsn", value=ArgumentType.NUMBER),
        ),
        stages=("deliver", "queue"),
    ),
)

"""The stage `queue` in a rehearsal: the attempt that it is asked about, and how its answer reads.

An attempt is told by the items of the environment that the stage has, as `vnd.mtad.last-code`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.verdict import Resolution, RetryPlan, Tried
from mtad.rehearsal.workbench import Workbench

_NO_CONNECTION = Reply.of(451, "4.4.1", "No next hop could be reached")


def tried_of(bench: Workbench) -> Tried:
    """Return the attempt; where no code is given, the first one, which no next hop answered."""
    known = bench.environment
    code = number(known("vnd.mtad.last-code"))
    reply = Reply.of(code, known("vnd.mtad.last-enhanced"), known("vnd.mtad.last-text")) if code else _NO_CONNECTION
    host = known("vnd.mtad.last-host") or ("mx.example.net" if code else "")
    result = Result.FAILED if reply.is_permanent else Result.DELAYED
    return Tried(
        Outcome(result, reply, host),
        RetryPlan(),
        attempts_count=number(known("vnd.mtad.attempts")) or 1,
        age_seconds=number(known("vnd.mtad.age")),
    )


def number(text: str) -> int:
    """Return the number that an item of the environment is; 0 where it is none."""
    return int(text) if text.isascii() and text.isdecimal() else 0


def _route_of(found: Resolution) -> Sequence[str]:
    route = found.retry.route
    return (" ".join((route.transport.value, *route.hosts)),) if route is not None else ()


OF_QUEUE: Mapping[str, Callable[[Resolution], Sequence[str]]] = {
    "result": lambda found: ("bounce" if found.outcome.result is Result.FAILED else "defer",),
    "code": lambda found: (str(found.outcome.reply.code),),
    "enhanced": lambda found: (found.outcome.reply.enhanced,),
    "text": lambda found: found.outcome.reply.lines,
    "intervals": lambda found: [str(seconds) for seconds in found.retry.intervals_seconds],
    "expire": lambda found: (str(found.retry.expire_seconds),),
    "attempts": lambda found: (str(found.retry.attempts_max),) if found.retry.attempts_max else (),
    "route": _route_of,
    "silent": lambda found: ("yes",) if found.retry.is_silent else (),
    "delaydsn": lambda found: (str(found.retry.warn_seconds),),
}

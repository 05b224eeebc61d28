"""What the queue stage comes to: the outcome that an attempt counts as, and when there is another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtad.mail.envelope import domain_of
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.mail.verdict import Resolution, RetryPlan, Tried
from mtad.sieve.actions import Action, Bounce, Defer, Retry, RouteTo

_DEFERRED_CODE = 450


def resolution(actions: Sequence[Action], tried: Tried, recipient: str) -> Resolution:
    """Make one answer of what the stage decided; without a verdict the attempt counts as what it was."""
    found = Resolution(tried.outcome, tried.retry)
    for action in actions:
        if isinstance(action, Retry):
            found = replace(found, retry=planned(found.retry, action))
        elif isinstance(action, RouteTo):
            found = replace(found, retry=replace(found.retry, route=routed(action, recipient)))
        elif isinstance(action, Bounce):
            retry = replace(found.retry, is_silent=action.is_silent)
            found = Resolution(Outcome(Result.FAILED, action.reply), retry)
        elif isinstance(action, Defer):
            intervals = found.retry.intervals_seconds if action.seconds is None else (action.seconds,)
            retry = replace(found.retry, intervals_seconds=intervals)
            found = Resolution(put_off(tried.outcome, action.reason), retry)
    return found


def planned(plan: RetryPlan, action: Retry) -> RetryPlan:
    """Return a plan with what a script says of it."""
    intervals = action.intervals_seconds or plan.intervals_seconds
    expire = action.expire_seconds or plan.expire_seconds
    warn = plan.warn_seconds if action.warn_seconds is None else action.warn_seconds
    return replace(
        plan,
        intervals_seconds=intervals,
        expire_seconds=expire,
        warn_seconds=warn,
        attempts_max=action.attempts_max or plan.attempts_max,
    )


def routed(action: RouteTo, recipient: str) -> Route:
    """Return the route of a recipient; `:nomx` leads to its domain, an address literal without its dress."""
    if not action.to_domain:
        return action.route
    domain = domain_of(recipient).strip("[]").removeprefix("ipv6:")
    return replace(action.route, hosts=(domain,) if domain else ())


def put_off(outcome: Outcome, reason: str = "") -> Outcome:
    """Return an outcome as one after which there is another attempt; what a next hop said for good is told as ours.

    reason   what policy says of it; '' is nothing
    """
    if outcome.result is not Result.FAILED and not reason:
        return outcome
    said = f"{outcome.next_hop} said: {outcome.reply}" if outcome.next_hop else str(outcome.reply)
    by_policy = f"Put off by policy: {reason}" if reason else "Put off by policy"
    enhanced = f"4{outcome.reply.enhanced[1:]}" if outcome.reply.enhanced else "4.0.0"
    found = Outcome(Result.DELAYED, Reply.of(_DEFERRED_CODE, enhanced, f"{by_policy}; {said}"))
    if found.is_counted is outcome.is_counted:
        return found
    return replace(found, reply=replace(found.reply, enhanced="4.0.0"))  # it is the next hop's system, not ours

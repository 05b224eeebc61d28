"""What a session's stage comes to: one verdict of all that its script wanted done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mtad.mail.dsn_request import RecipientRequest
from mtad.mail.verdict import GO_ON, Addition, Signing, Verdict
from mtad.sieve.actions import (
    Accept,
    Action,
    AddRecipient,
    Delay,
    DeleteRecipient,
    Discard,
    Enqueue,
    Hold,
    Keep,
    NameQueue,
    Prioritise,
    Redirect,
    Refuse,
    SetRecipient,
    SetSender,
    Sign,
    Unless,
)
from mtad.sieve.capabilities.verdict import DELAY_SECONDS_MAX
from mtad.sieve.edits import Edit

_ACCEPTED = Verdict(is_accepted=True)


_FINAL = (Accept, Refuse, Discard)


def verdict_of(actions: Sequence[Action], default: Callable[[], Verdict]) -> Verdict:
    """Make one verdict of what a stage decided; a held-back tempfail counts when its condition came true."""
    final = None
    held: dict[Unless, Refuse] = {}
    for action in actions:
        if isinstance(action, Refuse) and action.unless is not Unless.NOW:
            held.setdefault(action.unless, action)
        elif isinstance(action, _FINAL):
            final = _final(action, default)
    verdict = final if final is not None else default()
    if not held:
        return verdict
    is_refused = verdict.reply is not None and verdict.reply.is_permanent
    instead = held.get(Unless.IF_REJECT if is_refused else Unless.IF_ACCEPT)
    if instead is None or (verdict.reply is not None and not is_refused):
        return verdict
    return Verdict(instead.reply, instead.is_disconnect, instead.log)


def _final(action: Accept | Refuse | Discard, default: Callable[[], Verdict]) -> Verdict:
    if isinstance(action, Refuse):
        return Verdict(action.reply, action.is_disconnect, action.log)
    if isinstance(action, Discard):
        return Verdict(is_discarded=True)
    if action.is_relay:
        return Verdict(is_trusted=True, is_accepted=True, text=action.text)
    verdict = default()
    if verdict.reply is not None:
        return verdict
    return Verdict(is_accepted=True, text=action.text) if action.text else _ACCEPTED


def verdicts_of(each: Mapping[str, Sequence[Action]]) -> dict[str, Verdict]:
    """Return the verdicts on recipients that are refused or dropped while their message goes on."""
    verdicts = {one: sent_on(actions, verdict_of(actions, lambda: GO_ON)) for one, actions in each.items()}
    return {
        one: verdict
        for one, verdict in verdicts.items()
        if verdict.reply is not None or verdict.is_discarded or verdict.added
    }


def sent_on(actions: Sequence[Action], verdict: Verdict) -> Verdict:
    """Return the verdict with who gets the message besides, or instead; who is refused is sent on to nobody."""
    added = tuple(_addition(one) for one in actions if isinstance(one, AddRecipient | Redirect))
    if verdict.reply is not None:
        return verdict
    is_discarded = verdict.is_discarded or _is_left_out(actions)
    return replace(verdict, added=added, is_discarded=is_discarded) if added or is_discarded else verdict


def _is_left_out(actions: Sequence[Action]) -> bool:
    """Tell whether who was named gets nothing: it was deleted, or redirected, which keep and :copy take back."""
    if any(isinstance(one, DeleteRecipient) for one in actions):
        return True
    return Keep.KEEP not in actions and any(isinstance(one, Redirect) and not one.is_copy for one in actions)


def _addition(action: AddRecipient | Redirect) -> Addition:
    if isinstance(action, Redirect):
        return Addition(action.address, RecipientRequest(action.notify, by=action.by), is_redirected=True)
    return Addition(action.address, action.request, is_hidden=action.is_hidden)


def sent_from(actions: Sequence[Action], verdict: Verdict) -> Verdict:
    """Return the verdict with the reverse-path that the message is given."""
    given = next((action for action in reversed(actions) if isinstance(action, SetSender)), None)
    return verdict if given is None else replace(verdict, reverse_path=given.address, is_verp=given.is_verp)


def recipient_of(actions: Sequence[Action]) -> str:
    """Return who gets the mail instead of the recipient that was named; '' is nobody."""
    return next((action.address for action in reversed(actions) if isinstance(action, SetRecipient)), "")


def edits_of(actions: Sequence[Action]) -> list[Edit]:
    """Return the changes of the message, in their order."""
    return [action for action in actions if isinstance(action, Edit)]


def kept_by(actions: Sequence[Action], verdict: Verdict) -> Verdict:
    """Return the verdict on a message with what becomes of it where it is not refused."""
    held = next((action.reason for action in reversed(actions) if isinstance(action, Hold)), "")
    is_queued = bool(held) or any(isinstance(action, Enqueue) for action in actions)
    signing = next((signing_of(one) for one in reversed(actions) if isinstance(one, Sign)), None)
    priority = next((one.priority for one in reversed(actions) if isinstance(one, Prioritise)), None)
    name = next((one.name for one in reversed(actions) if isinstance(one, NameQueue)), "")
    if not is_queued and not name and signing is None and priority is None:
        return verdict
    seconds = next((one.after_seconds for one in reversed(actions) if isinstance(one, Enqueue)), 0)
    kept = replace(verdict, held=held, queue_at_once=is_queued, queue_seconds=seconds)
    return replace(kept, signing=signing, priority=priority, queue_name=name)


def signing_of(action: Sign) -> Signing:
    """Return the key that a script names."""
    return Signing(action.domain, action.selector, action.fields)


def delay_of(actions: Sequence[Action]) -> int:
    """Return the seconds that the answer is held back."""
    return min(DELAY_SECONDS_MAX, sum(action.seconds for action in actions if isinstance(action, Delay)))


def described(action: Action) -> str:
    """Say what an action does, for the log."""
    if isinstance(action, Refuse):
        return str(action.reply)
    return f"delay {action.seconds}" if isinstance(action, Delay) else type(action).__name__.lower()

"""What becomes of a message that a plain script was run on (RFC 5228 §2.10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mtad.sieve.actions import Action, Discard, FileInto, Keep, Redirect, Refuse
from mtad.sieve.edits import Edit

_CANCELLING = (Keep, Discard, Refuse)


def has_implicit_keep(actions: Sequence[Action]) -> bool:
    """Tell whether the message is kept because no action says otherwise (§2.10.2)."""
    return not any(
        not action.is_copy if isinstance(action, FileInto | Redirect) else isinstance(action, _CANCELLING)
        for action in actions
    )


def results(actions: Sequence[Action]) -> tuple[Action, ...]:
    """Return what is to be done with the message, each thing once (§2.10.3), the implicit keep last.

    Changes of its header are not among it: they are made one after the other, equal ones too (RFC 5293 §4).
    """
    found: dict[Action, Action] = {}
    for action in actions:
        if isinstance(action, Edit):
            continue
        key = replace(action, is_copy=True) if isinstance(action, FileInto | Redirect) else action
        found.setdefault(key, action)
    if has_implicit_keep(actions):
        found[Keep.KEEP] = Keep.KEEP
    return tuple(found.values())

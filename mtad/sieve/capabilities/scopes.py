"""Variables that outlive their stage: the namespaces `session`, `txn` and `rcpt` of vnd.mtad.stage.

In a run they stand among the others, under their whole names.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from mtad.sieve.capabilities.stage import CAPABILITY
from mtad.sieve.capabilities.variables import setting
from mtad.sieve.language import SESSION_STAGES, Bound, Namespace, Write
from mtad.sieve.template import Read

SESSION = "session"
MESSAGE = "txn"
RECIPIENT = "rcpt"

_KNOWN = {
    SESSION: SESSION_STAGES,
    MESSAGE: ("mail", "rcpt", "data", "deliver", "queue"),
    RECIPIENT: ("rcpt", "data", "deliver", "queue"),
}
_SETTABLE = {
    SESSION: ("connect", "ehlo", "auth", "mail", "rcpt"),  # at the end of the data the next message may be on its way
    MESSAGE: ("mail", "rcpt", "data"),
    RECIPIENT: ("rcpt", "data"),
}


def _reader(scope: str, bound: Bound, path: Sequence[str]) -> Read | str:
    key = _key(scope, bound, path)
    if key is None:
        return "its name has a part too many"
    if bound.stage not in _KNOWN[scope]:
        return f'it is not known in stage "{bound.stage}"'
    if _is_nobodys(scope, bound):
        return "it is known in foreachrcpt"
    return lambda run: run.variables.get(key, "")


def _writer(scope: str, bound: Bound, path: Sequence[str]) -> Write | str:
    key = _key(scope, bound, path)
    if key is None:
        return "its name has a part too many"
    if bound.stage not in _SETTABLE[scope]:
        return f'it cannot be set in stage "{bound.stage}"'
    if _is_nobodys(scope, bound):
        return "it can be set in foreachrcpt"
    return setting(key)


def _is_nobodys(scope: str, bound: Bound) -> bool:
    """Tell whether a recipient's variable stands where no single one is meant."""
    return scope == RECIPIENT and bound.stage == "data" and not bound.stands_in("foreachrcpt")


def _key(scope: str, bound: Bound, path: Sequence[str]) -> str | None:
    return bound.unit.variable(f"{scope}.{path[0]}", bound.at) if len(path) == 1 else None


SCOPES = tuple(
    Namespace(scope, CAPABILITY, partial(_reader, scope), partial(_writer, scope))
    for scope in (SESSION, MESSAGE, RECIPIENT)
)

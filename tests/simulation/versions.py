"""What is lost on the way between members of two versions: what the older one does not say, or does not understand.

A process of an older version is played by today's core. The network takes from its link whatever the older version
lacks, both ways, so that each hears what it would have heard.
"""

from __future__ import annotations

from typing import Any

from replicator.core.messages import Ack, Beat, Hello, Message, Records
from replicator.core.versions import MESSAGES, RECORDS, VERSION_MAX, VERSION_MIN
from tests.simulation.clock import Violation

OLD = VERSION_MIN

_ADDED: dict[int, dict[type, dict[str, Any]]] = {
    2: {Hello: {"mode": "", "lease": 0, "wants_received": False}, Ack: {"received": {}}, Beat: {"feeding": ()}},
}
"""By the version that brought them: fields of messages, and what it means to say nothing in them."""


def as_carried(version: int, message: Message) -> Message:
    """Return what of a message arrives on a link of that version. Errors: Violation."""
    kind = type(message)
    is_known = MESSAGES[kind] <= version
    if isinstance(message, Records):
        is_known = is_known and all(RECORDS[record.kind] <= version for record in message.records)
    if not is_known:
        raise Violation("V1", f"{kind.__name__} is sent to a member of version {version}, which does not know it")
    if isinstance(message, Hello):
        message = message._replace(version_max=version)
    for later in range(version + 1, VERSION_MAX + 1):
        if kind in _ADDED[later]:
            message = message._replace(**_ADDED[later][kind])
    return message

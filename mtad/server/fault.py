"""What the log gets of a fault of our own; the peer gets `mtad.mail.reply.local_fault`."""

from __future__ import annotations

import traceback

from mtad.telemetry.events import VALUE_LENGTH_MAX, Events


def emit_fault(events: Events, *, session: str, trace: str, stage: str) -> None:
    """Log the exception that is being handled, with the end of its traceback, which says most."""
    events.emit(
        "session.fault",
        level="error",
        session=session,
        ref=trace,
        stage=stage,
        traceback=traceback.format_exc()[-VALUE_LENGTH_MAX:],
    )

"""What a node tells those who watch over it: /metrics for Prometheus, /healthz and /readyz."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus

from mtad.admin.health import failings, why_not_ready
from mtad.admin.http import Page, Pages
from mtad.admin.measures import measured
from mtad.pb import admin_pb2 as pb
from mtad.telemetry.counted import with_zeros
from mtad.telemetry.metrics import MEDIA_TYPE, exposed
from mtad.telemetry.tally import Tally


def monitoring_pages(status: Callable[[], pb.StatusReply], tally: Tally) -> Pages:
    """Return the pages; each is what `status` and the tally say as it is asked for."""
    return {
        "/metrics": lambda: Page(exposed([*measured(status()), *with_zeros(tally.families())]), media_type=MEDIA_TYPE),
        "/healthz": lambda: _verdict(failings(status())),
        "/readyz": lambda: _verdict(why_not_ready(status())),
    }


def _verdict(reasons: Sequence[str]) -> Page:
    if reasons:
        return Page("".join(f"{reason}\n" for reason in reasons), HTTPStatus.SERVICE_UNAVAILABLE)
    return Page("ok\n")

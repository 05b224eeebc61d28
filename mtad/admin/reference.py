"""Writes docs/reference/metrics.md from the tables of metrics: `python -m mtad.admin.reference`.

With --check, only says whether the page is fresh.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mtad.admin.measures import MEASURES
from mtad.generated import write_or_check
from mtad.telemetry.counted import COUNTS, Count
from mtad.telemetry.tally import LABEL_LENGTH_MAX, METRICS_MAX, OTHER, SERIES_MAX

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"
_HEAD = """\
# Metrics

<!-- Written by `python -m mtad.admin.reference` from mtad/admin/measures.py and mtad/telemetry/counted.py. -->

A node answers Prometheus, and those who ask how it is, where [`[monitoring]`](configuration.md) says, over HTTP and to
whoever connects. [How to watch a node](../how-to/watch-a-node.md) has the rest.

| path | answer |
| --- | --- |
| `/metrics` | All metrics, in Prometheus' text format 0.0.4. |
| `/healthz` | 200 and `ok` when the node does its job in its role; 503 and why it does not, a reason a line, when it is fenced, between two roles, closed, or too old for what its peer has written. What others fail at is none of it: when the link of a pair is cut, both nodes do their job. |
| `/readyz` | 200 and `ok` when it takes mail; 503 and why it does not, when its queue is full or closed, or no process takes clients. |

`mtactl status` is the stricter one: it tells all that a person should see to (`mtad_problems`).

## How the node is

What `mtactl status` says, at the moment of the scrape. All are gauges. What a node has nothing to say of has no series:
one without a pair has no lag.
"""  # noqa: E501 - a row of a table is a line
_COUNTED = """\
## What has happened

Counters of [events](events.md), over all processes of the node since the one that owns the queue started. Workers tell
theirs once a second; what a worker that is killed has counted in its last second is lost.
"""
_OF_POLICY = f"""\
## What the policy measures

`metric "name";` in the policy ([vnd.mtad.log](sieve/vnd.mtad.log.md)) makes a metric, which is exposed under the name
as it is written there, from the first time that it is measured. Those of the node itself begin with `mtad_`.

- A metric has {SERIES_MAX} series. What comes under further labels counts as `{OTHER}`, so that no stranger whose words
  are labels fills the memory of those who watch; the event `metrics.other` says so once.
- A label's value is cut at {LABEL_LENGTH_MAX} characters.
- There are {METRICS_MAX} metrics of policies and events; those of events have their places whatever policies measure.
  The event `metrics.full` says when there are more. Those that a policy had before it was loaded anew stay until the
  node is restarted. One that becomes a gauge, or gets other labels, begins anew.
- All processes of the node count together. Of a gauge that several set, the last one counts.
"""


def page() -> str:
    """Return the text of the page."""
    measures = [f"| `{_named(each.name, *each.labels)}` | {each.text} |" for each in MEASURES]
    return "\n".join(
        [
            _HEAD,
            *_table("metric", "what", measures),
            _COUNTED,
            *_table("metric", "what, and of which events", [line for count in COUNTS for line in _rows(count)]),
            _OF_POLICY.rstrip("\n"),
            "",
        ]
    )


def _table(first: str, second: str, rows: list[str]) -> list[str]:
    return [f"| {first} | {second} |", "| --- | --- |", *rows, ""]


def _rows(count: Count) -> Iterator[str]:
    values = " ".join(f"`{value}`" for series in count.series() for value in series)
    of = ", ".join(f"`{event}`" for event in count.events)
    name = _named(count.name, *filter(None, (count.label,)))
    yield f"| `{name}` | {count.text} {_said(count, values)}Events: {of}. |"


def _said(count: Count, values: str) -> str:
    return f"`{count.label}`: {values}. " if count.label else ""


def _named(name: str, *labels: str) -> str:
    return f"{name}{{{','.join(labels)}}}" if labels else name


def main() -> None:
    """Write the page, or check it."""
    write_or_check({PAGE: page()}, "mtad.admin.reference")


if __name__ == "__main__":
    main()

"""Numbers for those who watch over a node: `metric` of vnd.mtad.log. What a metric is stands in the script alone."""

from __future__ import annotations

import re
from typing import NamedTuple

from mtad.sieve.actions import Measure
from mtad.sieve.code import Code, Plain
from mtad.sieve.language import ArgumentType, Bound, Kind, Spec, Tag
from mtad.sieve.template import Template
from mtad.telemetry.metrics import Kind as MetricKind
from mtad.telemetry.metrics import Metric

METRICS_MAX = 64  # of a policy
LABELS_MAX = 4  # of a metric
NAME_LENGTH_MAX = 64
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_OF_PROMETHEUS = "__"
_OTHERS = ("mtad_", _OF_PROMETHEUS)


class _Wrong(NamedTuple):
    """A mistake, and where it stands."""

    at: int
    text: str


def _metric(bound: Bound) -> Code:
    labels = _labels(bound)
    if isinstance(labels, _Wrong):
        return bound.fail(labels.at, labels.text)
    metric = _declared(bound, tuple(sorted(labels)))
    if isinstance(metric, _Wrong):
        return bound.fail(metric.at, metric.text)
    values = [labels[name] for name in metric.labels]
    given = bound.tag_number(":set") or bound.tag_number(":add")
    number = 1 if given is None else given.value
    return Plain(lambda run: run.act(Measure(metric, tuple([value.read(run) for value in values]), number)))


def _declared(bound: Bound, labels: tuple[str, ...]) -> Metric | _Wrong:
    """Return the metric that is named, with these labels, or why it cannot be."""
    (item,) = bound.strings(0).items
    if not _is_name(item.value) or item.value.startswith(_OTHERS):
        return _Wrong(
            item.at,
            f'"{item.value[:NAME_LENGTH_MAX]}" is no name of a metric: letters, digits and _, {NAME_LENGTH_MAX} at '
            f"most; those that begin with {' or '.join(_OTHERS)} are not the policy's",
        )
    meant = Metric(item.value, MetricKind.GAUGE if bound.has(":set") else MetricKind.COUNTER, labels)
    known = bound.unit.defined.metrics
    metric = known.setdefault(meant.name, meant)
    if metric != meant:
        has = f"with the labels {', '.join(metric.labels)}" if metric.labels else "without labels"
        return _Wrong(item.at, f'elsewhere the metric "{meant.name}" is a {metric.kind} {has}')
    if len(known) > METRICS_MAX:
        return _Wrong(item.at, f"a policy may have {METRICS_MAX} metrics")
    return metric


def _labels(bound: Bound) -> dict[str, Template] | _Wrong:
    """Return the values of the labels by their names, or why they are none."""
    given = bound.tag_strings(":labels")
    if given is None:
        return {}
    names, values = given.items[::2], given.items[1::2]
    if len(names) != len(values):
        return _Wrong(given.at, "labels are pairs: a name, and behind it a value")
    if len(names) > LABELS_MAX:
        return _Wrong(given.at, f"a metric may have {LABELS_MAX} labels")
    labels: dict[str, Template] = {}
    for name, value in zip(names, values, strict=True):
        if not _is_name(name.value) or name.value.startswith(_OF_PROMETHEUS):
            return _Wrong(name.at, f'"{name.value[:NAME_LENGTH_MAX]}" is no name of a label')
        if name.value in labels:
            return _Wrong(name.at, f'the label "{name.value}" stands there twice')
        labels[name.value] = bound.template(value)
    return labels


def _is_name(text: str) -> bool:
    return len(text) <= NAME_LENGTH_MAX and _NAME.match(text) is not None


METRIC = (
    Spec(
        "metric",
        Kind.COMMAND,
        _metric,
        capabilities=("vnd.mtad.log",),
        tags=(
            Tag(":add", "number", ArgumentType.NUMBER),
            Tag(":set", "number", ArgumentType.NUMBER),
            Tag(":labels", value=ArgumentType.TEXTS),
        ),
        positional=(ArgumentType.STRING,),
    ),
)

"""Metrics as values, and as the text that Prometheus reads: its exposition format, version 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_OF_VALUE = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_OF_HELP = str.maketrans({"\\": r"\\", "\n": r"\n"})


class Kind(StrEnum):
    """How a metric's number moves."""

    COUNTER = "counter"  # up; from 0 again when its process starts
    GAUGE = "gauge"  # up and down


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured, and the names of the labels that tell its series apart."""

    name: str
    kind: Kind
    labels: tuple[str, ...] = ()


class Sample(NamedTuple):
    """The number of one series; `values` are those of the metric's labels, in their order."""

    values: tuple[str, ...]
    number: float


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its series; `text` says what it is, '' when nobody knows."""

    metric: Metric
    samples: Sequence[Sample]
    text: str = ""


def exposed(families: Iterable[Family]) -> str:
    """Write families as Prometheus reads them."""
    return "".join(f"{line}\n" for family in families for line in _lines(family))


def _lines(family: Family) -> Iterator[str]:
    metric = family.metric
    if family.text:
        yield f"# HELP {metric.name} {family.text.translate(_OF_HELP)}"
    yield f"# TYPE {metric.name} {metric.kind}"
    for sample in family.samples:
        named = zip(metric.labels, sample.values, strict=True)
        labels = ",".join(f'{name}="{value.translate(_OF_VALUE)}"' for name, value in named)
        yield f"{metric.name}{f'{{{labels}}}' if labels else ''} {_number(sample.number)}"


def _number(number: float) -> str:
    return str(int(number)) if number == int(number) else repr(number)

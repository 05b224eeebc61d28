"""What an answer to the MX question means, and the order of hosts."""

from __future__ import annotations

import random

import pytest

from mtad.dns.mx import (
    MX_HOSTS_MAX,
    MxAnswer,
    MxHost,
    MxHosts,
    MxUnknown,
    NoDomain,
    NullMx,
    in_order,
    lookup,
    mx_answer,
    without_us,
)
from mtad.dns.resolver import Absence, Absent, Answer, Found, Resolver, Unknown
from tests.fakes.name_server import NameServer

A, B, C = MxHost(10, "a.test"), MxHost(20, "b.test"), MxHost(20, "c.test")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Found(("20 b.test", "10 a.test"), 60, True), MxHosts((A, B), True)),
        (Found(("10 a.test", "10 a.test"), 60), MxHosts((A,))),
        (Found(("0 .",), 60), NullMx()),
        (Found(("0 .", "10 a.test"), 60), MxHosts((A,))),  # RFC 7505 §3: a null MX stands alone or is none
        (Absent(Absence.NODATA, 60, True), MxHosts((MxHost(0, "b.test"),), True, is_implicit=True)),
        (Absent(Absence.NXDOMAIN), NoDomain()),
        (Unknown("NoNameservers"), MxUnknown("NoNameservers")),
    ],
)
def test_meaning(answer: Answer, expected: MxAnswer) -> None:
    assert mx_answer("B.test", answer) == expected


def test_hosts_are_bounded() -> None:
    answer = mx_answer("b.test", Found(tuple(f"{n} mx{n}.test" for n in range(100)), 60))
    assert isinstance(answer, MxHosts)
    assert len(answer.hosts) == MX_HOSTS_MAX


@pytest.mark.parametrize(
    ("ours", "left"),
    [((), (A, B, C)), (("a.test",), ()), (("b.test",), (A,)), (("c.test", "b.test"), (A,)), (("d.test",), (A, B, C))],
)
def test_hosts_behind_us(ours: tuple[str, ...], left: tuple[MxHost, ...]) -> None:
    assert without_us((A, B, C), frozenset(ours)) == left


def test_order() -> None:
    orders = {in_order((C, B, A), random.Random(seed).shuffle) for seed in range(20)}
    assert orders == {("a.test", "b.test", "c.test"), ("a.test", "c.test", "b.test")}


async def test_lookup() -> None:
    async with NameServer({"b.test": {"MX": ("10 A.test.",)}}) as names:
        assert await lookup(Resolver((("127.0.0.1", names.port),)), "b.test") == MxHosts((A,))

"""Answers as values: found, absent, unknown; and how long they are remembered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from mtad.dns.resolver import Absence, Absent, Found, Resolver, ResolverLimits, Unknown
from tests.fakes.name_server import SERVFAIL, SILENCE, NameServer, Zone

ZONE: Zone = {
    "a.test": {
        "A": ("127.0.0.1",),
        "MX": ("10 MX.a.Test.", "0 ."),
        "TXT": ('"v=DKIM1; " "p=abc"',),
        "TLSA": ("3 1 1 " + "ab" * 32,),
    },
    "six.test": {"AAAA": ("::1",), "A": SERVFAIL},
    "broken.test": {"A": SERVFAIL},
    "silent.test": {"A": SILENCE},
    "1.0.0.127.in-addr.arpa": {"PTR": ("Host.a.test.",)},
}
LIMITS = ResolverLimits(lookup_seconds_max=1)


@asynccontextmanager
async def resolving(
    *, ttl_seconds: int = 300, is_secure: bool = False, limits: ResolverLimits = LIMITS
) -> AsyncIterator[tuple[Resolver, NameServer]]:
    async with NameServer(ZONE, ttl_seconds=ttl_seconds, is_secure=is_secure) as names:
        yield Resolver((("127.0.0.1", names.port),), limits), names


@pytest.mark.parametrize(
    ("name", "record_type", "records"),
    [
        ("a.test", "A", {"127.0.0.1"}),
        ("A.Test.", "A", {"127.0.0.1"}),
        ("a.test", "MX", {"10 mx.a.test", "0 ."}),
        ("a.test", "TXT", {"v=DKIM1; p=abc"}),
        ("a.test", "TLSA", {"3 1 1 " + "ab" * 32}),
        ("1.0.0.127.in-addr.arpa", "PTR", {"host.a.test"}),
    ],
)
async def test_found(name: str, record_type: str, records: set[str]) -> None:
    async with resolving() as (resolver, _):
        answer = await resolver.lookup(name, record_type)
        assert isinstance(answer, Found)
        assert set(answer.records) == records
        assert answer.ttl_seconds == 300
        assert not answer.is_secure


async def test_absent_has_two_kinds() -> None:
    async with resolving() as (resolver, _):
        assert await resolver.lookup("a.test", "AAAA") == Absent(Absence.NODATA, 60)
        assert await resolver.lookup("nowhere.test", "A") == Absent(Absence.NXDOMAIN, 60)


@pytest.mark.parametrize("name", ["broken.test", "silent.test"])
async def test_a_lookup_that_fails_is_unknown(name: str) -> None:
    async with resolving() as (resolver, _):
        assert isinstance(await resolver.lookup(name, "A"), Unknown)


async def test_no_name_server_is_unknown() -> None:
    async with NameServer({}) as names:
        pass
    assert isinstance(await Resolver((("127.0.0.1", names.port),), LIMITS).lookup("a.test", "A"), Unknown)


async def test_each_server_is_asked_on_its_own_port() -> None:
    async with NameServer(ZONE) as names, NameServer({"a.test": {"A": SERVFAIL}}) as failing:
        servers = (("127.0.0.1", failing.port), ("127.0.0.1", names.port))
        assert isinstance(await Resolver(servers, LIMITS).lookup("a.test", "A"), Found)


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", ".".join(["abcdefg"] * 40), "\ud800.test"])
async def test_names_that_cannot_exist_are_not_asked_for(name: str) -> None:
    async with resolving() as (resolver, names):
        answer = await resolver.lookup(name, "A")
        assert isinstance(answer, Absent)
        assert answer.kind is Absence.NXDOMAIN
        assert names.asked == []


async def test_the_word_of_a_validating_resolver_on_loopback_counts() -> None:
    async with resolving(is_secure=True) as (resolver, _):
        found = await resolver.lookup("a.test", "A")
        assert isinstance(found, Found)
        assert found.is_secure
        absent = await resolver.lookup("a.test", "AAAA")
        assert isinstance(absent, Absent)
        assert absent.is_secure


async def test_answers_are_remembered() -> None:
    async with resolving() as (resolver, names):
        for _ in range(3):
            await resolver.lookup("a.test", "A")
            await resolver.lookup("a.test", "AAAA")
            await resolver.lookup("nowhere.test", "A")
        assert sorted(names.asked) == [("a.test", "A"), ("a.test", "AAAA"), ("nowhere.test", "A")]


async def test_what_is_forgotten_is_asked_again() -> None:
    async with resolving() as (resolver, names):
        await resolver.lookup("nowhere.test", "A")
        resolver.forget()
        await resolver.lookup("nowhere.test", "A")
        assert len(names.asked) == 2


async def test_failures_are_not_remembered() -> None:
    async with resolving() as (resolver, names):
        await resolver.lookup("broken.test", "A")
        count = len(names.asked)
        await resolver.lookup("broken.test", "A")
        assert len(names.asked) > count


async def test_answers_are_remembered_no_longer_than_they_say() -> None:
    async with resolving(ttl_seconds=0) as (resolver, names):
        await resolver.lookup("a.test", "A")
        await resolver.lookup("a.test", "A")
        assert len(names.asked) == 2


async def test_expired_answers_are_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with resolving(ttl_seconds=30) as (resolver, names):
        await resolver.lookup("a.test", "A")
        loop = asyncio.get_running_loop()
        later = loop.time() + 31
        monkeypatch.setattr(loop, "time", lambda: later)
        await resolver.lookup("a.test", "A")
        assert len(names.asked) == 2


async def test_the_memory_is_bounded() -> None:
    async with resolving(limits=replace(LIMITS, cached_max=2)) as (resolver, names):
        for name in ("a.test", "six.test", "x.test", "x.test", "a.test"):
            await resolver.lookup(name, "AAAA")
        assert [name for name, _ in names.asked] == ["a.test", "six.test", "x.test", "a.test"]


@pytest.mark.parametrize(("length_max", "asked_count"), [(15, 1), (14, 2)])  # as long as the two records together
async def test_a_long_answer_is_not_remembered(length_max: int, asked_count: int) -> None:
    async with resolving(limits=replace(LIMITS, cached_length_max=length_max)) as (resolver, names):
        for _ in range(2):
            assert isinstance(await resolver.lookup("a.test", "MX"), Found)
        assert len(names.asked) == asked_count


async def test_the_same_question_is_asked_once_at_a_time() -> None:
    async with resolving(ttl_seconds=0) as (resolver, names):
        asking = [asyncio.create_task(resolver.lookup("a.test", "A")) for _ in range(20)]
        await asyncio.sleep(0)
        asking[0].cancel()  # whoever gives up does not take the answer from the others
        answers = await asyncio.gather(*asking[1:])
        assert all(isinstance(answer, Found) for answer in answers)
        assert len(names.asked) == 1


async def test_lookups_at_a_time_are_bounded() -> None:
    async with resolving(limits=ResolverLimits(lookup_seconds_max=0.2, running_max=1)) as (resolver, names):
        silent = asyncio.create_task(resolver.lookup("silent.test", "A"))
        while not names.asked:
            await asyncio.sleep(0.001)
        waiting = asyncio.create_task(resolver.lookup("a.test", "A"))
        await asyncio.sleep(0.05)
        assert ("a.test", "A") not in names.asked
        assert isinstance(await silent, Unknown)
        assert isinstance(await waiting, Found)


async def test_who_does_not_get_a_turn_in_time_hears_that_it_is_not_known() -> None:
    limits = ResolverLimits(lookup_seconds_max=60, running_max=1, turn_seconds_max=0.01)
    async with resolving(limits=limits) as (resolver, _):
        first = asyncio.create_task(resolver.lookup("silent.test", "A"))
        await asyncio.sleep(0)
        assert await resolver.lookup("a.test", "A") == Unknown("too many lookups at a time")
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])


async def test_those_that_wait_for_their_turn_are_bounded() -> None:
    limits = ResolverLimits(lookup_seconds_max=60, running_max=1, waiting_max=1)
    async with resolving(limits=limits) as (resolver, _):
        first, second = (asyncio.create_task(resolver.lookup(name, "A")) for name in ("silent.test", "a.test"))
        await asyncio.sleep(0)
        assert await resolver.lookup("mute.test", "A") == Unknown("too many lookups at a time")
        assert not second.done()
        for one in (first, second):
            one.cancel()
        await asyncio.wait([first, second])


async def test_addresses() -> None:
    async with resolving() as (resolver, _):
        assert await resolver.addresses("a.test") == Found(("127.0.0.1",), 300)
        assert await resolver.addresses("six.test") == Found(("::1",), 300)  # A failed, AAAA is good enough
        assert await resolver.addresses("nowhere.test") == Absent(Absence.NXDOMAIN, 60)
        assert isinstance(await resolver.addresses("broken.test"), Unknown)


async def test_localhost_is_never_asked_for() -> None:
    async with resolving() as (resolver, names):
        answer = await resolver.addresses("localhost")
        assert isinstance(answer, Found)
        assert answer.records == ("127.0.0.1", "::1")
        assert names.asked == []

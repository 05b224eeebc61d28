"""Where mail goes: MX and address lookups, literals, loops, and what a lookup that fails means."""

from __future__ import annotations

import asyncio
import random

import pytest

from mtad.delivery.connection import Hop
from mtad.delivery.destination import HOPS_TRIED_MAX, Destination, Destinations
from mtad.delivery.families import Families
from mtad.dns.mx import MxHost
from mtad.dns.resolver import Resolver, ResolverLimits
from mtad.mail.outcome import Outcome, Result
from mtad.mail.route import Route, TlsLevel, Transport
from tests.fakes.name_server import SERVFAIL, NameServer, Zone

A = {"A": ("127.0.0.1",)}
ZONE: Zone = {
    "plain.test": {"MX": ("10 mx.test.",)},
    "three.test": {"MX": ("20 b.test.", "10 a.test.", "20 c.test.")},
    "implicit.test": A,
    "null.test": {"MX": ("0 .",)},
    "broken.test": {"MX": SERVFAIL},
    "alias.test": {"CNAME": ("plain.test.",)},
    "alias-of-best.test": {"CNAME": ("best.test.",)},
    "best.test": {"MX": ("10 us.test.", "20 b.test.")},
    "second.test": {"MX": ("10 a.test.", "20 us.test.", "20 b.test.", "30 c.test.")},
    "us.test": A,
    "addressless.test": {"MX": ("10 gone.test.",)},
    "unsure.test": {"MX": ("10 gone.test.", "20 unsure-mx.test.")},
    "unsure-mx.test": {"A": SERVFAIL, "AAAA": SERVFAIL},
    "mx.test": {"A": ("127.0.0.1", "127.0.0.2"), "AAAA": ("::1",)},
    "many.test": {"A": tuple(f"127.0.1.{number}" for number in range(1, 30))},
    "crowded.test": {"MX": ("10 many.test.", "20 a.test.", "30 b.test.")},
    "ten.test": {"MX": tuple(f"{number} h{number}.test." for number in range(10))},
    **{f"h{number}.test": A for number in range(10)},
    "both.test": {"A": ("127.0.0.1",), "AAAA": ("::1", "::2")},
    "a.test": A,
    "b.test": A,
    "c.test": A,
}


async def found(
    address: str, route: Route | None = None, *, seed: int = 0, families: Families | None = None
) -> tuple[object, list[Hop | Outcome]]:
    """Return the destination and the hops to try."""
    async with NameServer(ZONE) as names:
        resolver = Resolver((("127.0.0.1", names.port),), ResolverLimits(lookup_seconds_max=1))
        destinations = Destinations(
            resolver, frozenset({"us.test"}), families or Families(), random.Random(seed).shuffle
        )
        destination = await destinations.of(address, route or Route())
        if not isinstance(destination, Destination):
            return destination, []
        return destination, [hop async for hop in destinations.hops(destination)]


def shown(outcome: object) -> str:
    assert isinstance(outcome, Outcome)
    return f"{outcome.result} {outcome.reply.code} {outcome.reply.enhanced}"


async def test_addresses_of_the_mx_host() -> None:
    _, hops = await found("u@plain.test")
    expected = ["::1", "127.0.0.1", "127.0.0.2"]  # name servers turn the order of equals
    assert set(hops) == {Hop(address, 25, "mx.test", Transport.SMTP, TlsLevel.MAY) for address in expected}
    assert hops[0] == Hop("::1", 25, "mx.test", Transport.SMTP, TlsLevel.MAY)


async def test_hosts_are_tried_by_preference_and_by_chance_among_equals() -> None:
    orders = {
        tuple(hop.name for hop in (await found("u@three.test", seed=seed))[1] if isinstance(hop, Hop))
        for seed in range(8)
    }
    assert orders == {("a.test", "b.test", "c.test"), ("a.test", "c.test", "b.test")}


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("u@nowhere.test", "failed 550 5.4.4"),
        ("u@null.test", "failed 556 5.1.10"),
        ("u@broken.test", "delayed 450 4.4.3"),
        ("u@best.test", "failed 554 5.4.6"),
        ("u@us.test", "failed 554 5.4.6"),
        ("postmaster", "failed 550 5.1.3"),
        ("u@[nonsense]", "failed 550 5.1.2"),
        ("u@[127.0.0.1", "failed 550 5.1.2"),
    ],
)
async def test_no_destination(address: str, expected: str) -> None:
    outcome, _ = await found(address)
    assert shown(outcome) == expected


async def test_the_domain_itself_where_there_is_no_mx() -> None:
    _, hops = await found("u@Implicit.Test")
    assert [hop.name for hop in hops if isinstance(hop, Hop)] == ["implicit.test"]


async def test_hosts_behind_us_are_left_out() -> None:
    destination, _ = await found("u@second.test")
    assert isinstance(destination, Destination)
    assert destination.hosts == (MxHost(10, "a.test"),)


@pytest.mark.parametrize(("text", "address"), [("[127.0.0.1]", "127.0.0.1"), ("[IPv6:::1]", "::1")])
async def test_address_literals(text: str, address: str) -> None:
    _, hops = await found(f"u@{text}", Route(port=2525))
    assert hops == [Hop(address, 2525, address, Transport.SMTP, TlsLevel.MAY)]


async def test_no_host_has_an_address() -> None:
    _, [outcome] = await found("u@addressless.test")
    assert shown(outcome) == "failed 550 5.4.4"


async def test_a_host_that_cannot_be_looked_up_is_not_a_host_without_address() -> None:
    _, outcomes = await found("u@unsure.test")
    assert [shown(outcome) for outcome in outcomes] == ["failed 550 5.4.4", "delayed 450 4.4.3"]


async def test_what_a_route_names_is_never_permanently_wrong() -> None:
    _, [outcome] = await found("u@plain.test", Route(hosts=("gone.test",)))
    assert isinstance(outcome, Outcome)
    assert outcome.result is Result.DELAYED
    missing, _ = await found("u@plain.test", Route(Transport.LMTP, ("127.0.0.1",)))
    assert shown(missing) == "delayed 451 4.3.5"


async def test_hosts_of_a_route_are_tried_in_its_order() -> None:
    route = Route(Transport.LMTP, ("c.test", "a.test", "localhost"), 24, TlsLevel.NONE)
    for seed in range(4):
        _, hops = await found("u@nowhere.test", route, seed=seed)
        names = [hop.name for hop in hops if isinstance(hop, Hop)]
        assert names == ["c.test", "a.test", "localhost", "localhost"]


async def test_a_unix_socket() -> None:
    _, hops = await found("u@nowhere.test", Route(Transport.LMTP, ("unix:/run/lmtp",), None, TlsLevel.NONE))
    assert hops == [Hop("/run/lmtp", 0, "unix:/run/lmtp", Transport.LMTP, TlsLevel.NONE)]


@pytest.mark.parametrize(
    ("route", "may_be_us"),
    [
        (Route(), True),
        (Route(port=2525), True),
        (Route(hosts=("a.test",)), True),
        (Route(hosts=("a.test",), port=10025), False),
        (Route(Transport.LMTP, ("a.test",), 24), False),
    ],
)
async def test_who_has_our_name_is_a_neighbour_where_a_route_says_so(route: Route, may_be_us: bool) -> None:
    _, [hop] = await found("u@a.test", route)
    assert isinstance(hop, Hop)
    assert hop.may_be_us is may_be_us


async def test_a_domain_that_is_an_alias_is_its_target() -> None:
    _, hops = await found("u@alias.test")
    assert {hop.name for hop in hops if isinstance(hop, Hop)} == {"mx.test"}
    looping, _ = await found("u@alias-of-best.test")
    assert shown(looping) == "failed 554 5.4.6"


async def test_no_more_addresses_than_the_limit() -> None:
    _, hops = await found("u@many.test")
    assert len(hops) == HOPS_TRIED_MAX


async def test_a_host_with_very_many_addresses_leaves_room_for_the_others() -> None:
    _, hops = await found("u@crowded.test")
    names = [hop.name for hop in hops if isinstance(hop, Hop)]
    assert names == ["many.test"] * (HOPS_TRIED_MAX - 2) + ["a.test", "b.test"]
    _, hops = await found("u@ten.test")
    assert [hop.name for hop in hops if isinstance(hop, Hop)] == [f"h{number}.test" for number in range(HOPS_TRIED_MAX)]


async def test_both_families_in_turn_and_the_one_that_leads_nowhere_last() -> None:
    _, hops = await found("u@both.test")
    assert [hop.address for hop in hops if isinstance(hop, Hop)][1::2] == ["127.0.0.1"]
    families = Families()
    for _ in range(2):
        families.unreached("::1", asyncio.get_running_loop().time())
    _, hops = await found("u@both.test", families=families)
    assert isinstance(hops[0], Hop)
    assert hops[0].address == "127.0.0.1"
    assert len(hops) == 3, "it is tried all the same"


async def test_a_route_has_a_source_of_each_family() -> None:
    route = Route(sources=("192.0.2.1", "2001:db8::1"), helo="out.test")
    _, hops = await found("u@both.test", route)
    pairs = {(hop.address, hop.source, hop.helo) for hop in hops if isinstance(hop, Hop)}
    assert pairs == {
        ("127.0.0.1", "192.0.2.1", "out.test"),
        ("::1", "2001:db8::1", "out.test"),
        ("::2", "2001:db8::1", "out.test"),
    }


async def test_next_hops_of_a_family_without_a_source_are_not_asked() -> None:
    _, hops = await found("u@both.test", Route(sources=("192.0.2.1",)))
    assert [hop.address for hop in hops if isinstance(hop, Hop)] == ["127.0.0.1"]
    _, (only,) = await found("u@implicit.test", Route(sources=("2001:db8::1",)))
    assert shown(only) == "delayed 451 4.3.5"


async def test_routes_that_differ_are_other_destinations_and_their_hops_others() -> None:
    routes = (
        Route(),
        Route(sources=("192.0.2.1",)),
        Route(sources=("192.0.2.2",)),
        Route(helo="out.test"),
        Route(pool="p"),
        Route(credentials="relay"),
    )
    both = [await found("u@plain.test", route) for route in routes]
    assert len({destination for destination, _ in both}) == len(routes)
    assert len({hop for _, hops in both for hop in hops}) == sum(len(hops) for _, hops in both)

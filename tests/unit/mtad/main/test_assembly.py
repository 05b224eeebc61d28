"""What sessions and redelivery share, as it is put together."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mtad.admission.facts import SessionFacts
from mtad.delivery.destination import Destination
from mtad.dns.resolver import ResolverLimits
from mtad.mail.envelope import Client
from mtad.mail.route import Route
from mtad.main.assembly import build_shared, counting
from mtad.telemetry.events import CollectedEvents
from tests.fakes.configuration import MINIMAL, settings_of
from tests.fakes.name_server import SILENCE, NameServer

POLICY = """\
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.dns"];
stage "connect" { if iprev "pass" { ereject "has a name"; } }
stage "ehlo" { if dnsbl "zen.test" "127.0.0.2" { ereject "is listed"; } }
"""
OURS = """\
[policy]
file = "{file}"
[dns]
servers = ["127.0.0.1:{port}"]
timeout_seconds = 60
"""


def of(address: str) -> SessionFacts:
    return SessionFacts(Client(address, 1))


async def test_mail_waits_for_its_turn_to_be_looked_up_behind_many_slow_domains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domains = [f"slow{number}.test" for number in range(ResolverLimits().running_max)]
    async with NameServer({domain: {"MX": SILENCE} for domain in domains}) as names:
        (tmp_path / "policy.sieve").write_text(POLICY)
        text = MINIMAL + OURS.format(file=tmp_path / "policy.sieve", port=names.port)
        settings = settings_of(text, tmp_path / "mtad.toml")
        shared = build_shared(tmp_path / "mtad.toml", settings, counting(CollectedEvents()), share=1)
        loop, destinations = asyncio.get_running_loop(), shared.delivery.means.destinations
        silent = [asyncio.create_task(destinations.of(f"a@{domain}", Route())) for domain in domains]
        while len(names.asked) < len(silent):
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(destinations.of("a@next.test", Route()))
        for _ in range(20):
            await asyncio.sleep(0)
        now = loop.time
        monkeypatch.setattr(loop, "time", lambda: now() + ResolverLimits().turn_seconds_max + 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not waiting.done()
        for one in (*silent, waiting):
            one.cancel()
        await asyncio.wait([*silent, waiting])
        await shared.delivery.close()


async def test_names_that_strangers_choose_keep_neither_the_mail_waiting_nor_the_lists(tmp_path: Path) -> None:
    (tmp_path / "policy.sieve").write_text(POLICY)
    strangers = range(ResolverLimits().running_max)
    zone = {f"{last}.0.0.10.in-addr.arpa": {"PTR": SILENCE} for last in strangers}
    zone |= {"1.2.0.192.zen.test": {"A": ("127.0.0.2",)}, "next.test": {"MX": ("10 mx.next.test.",)}}
    async with NameServer(zone) as names:
        text = MINIMAL + OURS.format(file=tmp_path / "policy.sieve", port=names.port)
        settings = settings_of(text, tmp_path / "mtad.toml")
        shared = build_shared(tmp_path / "mtad.toml", settings, counting(CollectedEvents()), share=1)
        policy = shared.policy.current
        silent = [asyncio.create_task(policy.connect(of(f"10.0.0.{last}"))) for last in strangers]
        while len(names.asked) < len(silent):
            await asyncio.sleep(0.01)
        assert (await policy.ehlo(of("192.0.2.1"))).reply is not None
        assert isinstance(await shared.delivery.means.destinations.of("a@next.test", Route()), Destination)
        assert not any(one.done() for one in silent)
        for one in silent:
            one.cancel()
        await asyncio.wait(silent)
        await shared.delivery.close()

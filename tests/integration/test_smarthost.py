"""The page on smarthosts does what it says, with Postfix and Dovecot's SASL as the provider."""

from __future__ import annotations

import asyncio
import re
import shlex
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtad.cli import mtactl
from mtad.delivery.client_events import Mail
from mtad.delivery.warrant import Warrant
from mtad.lab.conversation import Taken
from mtad.lab.sink import Sink
from mtad.mail.envelope import Client, Envelope
from mtad.mail.outcome import Outcome, Result
from mtad.main.assembly import build_shared, counting
from mtad.telemetry.events import CollectedEvents
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.configuration import MINIMAL, settings_of
from tests.fakes.name_server import NameServer
from tests.fakes.waiting import until
from tests.integration.test_docs import ROOT, Block, blocks, missing_lines
from tests.peers.dovecot import dovecot
from tests.peers.postfix import Postfix, postfix

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

PAGE = ROOT / "docs" / "how-to" / "relay-through-a-smarthost.md"
PROVIDER = "smtp.provider.example"
RECIPIENT = "you@example.net"
WRITTEN = {"toml credentials": "relay.toml", "sieve": "policy.sieve"}
CONTENT = b"Message-ID: <%b@here.example>\r\nSubject: hello\r\n\r\ntext\r\n"


@dataclass
class Provider:
    """A Postfix that relays for those alone who have logged in, over TLS, and what has come through it."""

    relay: Postfix
    authority: CertificateAuthority
    taken: list[Taken] = field(default_factory=list)

    def has_taken(self, name: str) -> bool:
        return any(f"<{name}@here.example>".encode() in one.content for one in self.taken)

    def has_logged(self, text: str) -> bool:
        return text in self.relay.log


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    taken: list[Taken] = []
    behind = Sink(taken.append)
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue(PROVIDER)
    async with AsyncExitStack() as stack:
        port = await behind.listen()
        stack.push_async_callback(behind.close)
        users = await asyncio.to_thread(stack.enter_context, dovecot(("example.org",)))
        settings = {
            "mynetworks": "",
            "smtpd_relay_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_auth_enable": "yes",
            "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": str(users.logins),
            "smtpd_tls_security_level": "may",
            "smtpd_tls_auth_only": "yes",
            "smtpd_tls_cert_file": str(issued.cert_path),
            "smtpd_tls_key_file": str(issued.key_path),
        }
        relay = await asyncio.to_thread(stack.enter_context, postfix(port, settings=settings))
        yield Provider(relay, authority, taken)


def shown(info: str) -> list[Block]:
    return [block for block in blocks(PAGE) if block.info == info]


def write(folder: Path, provider: Provider, dns_port: int) -> Path:
    """Write the page's files, for this provider and its private authority; run its commands."""
    for info, name in WRITTEN.items():
        (block,) = shown(info)
        (folder / name).write_text(block.text)
    (settings,) = shown("toml settings")
    config = folder / "mtad.toml"
    tables = f'[policy]\nfile = "policy.sieve"\n[dns]\nservers = ["127.0.0.1:{dns_port}"]\n'
    config.write_text(f"{MINIMAL}{tables}{settings.text}")
    policy, credentials = folder / "policy.sieve", folder / "relay.toml"
    policy.write_text(policy.read_text().replace(":port 587", f":port {provider.relay.port}"))
    password = re.sub("^password = .*$", 'password = "secret"', credentials.read_text(), flags=re.MULTILINE)
    credentials.write_text(f'{password}ca = "{provider.authority.path}"\n')
    calls = [line for block in shown("sh run") for line in block.text.replace("/etc/mtad", str(folder)).splitlines()]
    assert len(calls) == 3
    printed = "".join(run(shlex.split(call)) for call in calls)
    (expected,) = shown("text")
    assert missing_lines(expected.text, printed) == [], printed
    return config


def run(words: list[str]) -> str:
    if words[0] != "mtactl":
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout
    result = CliRunner().invoke(mtactl.app, words[1:])
    assert result.exit_code == 0, result.output
    return result.stdout


@asynccontextmanager
async def node(config: Path, events: CollectedEvents) -> AsyncIterator[Callable[[str], Awaitable[Outcome]]]:
    """Send mail as a node with this configuration does, from its queue."""
    shared = build_shared(config, settings_of(config.read_text(), config), counting(events), share=1)
    said = await shared.policy.deliver(Envelope("me@example.org", Client("127.0.0.1", 1, "me")), RECIPIENT)

    async def may_finish(recipients: Collection[str]) -> bool:
        return True

    async def send(name: str) -> Outcome:
        outcomes = await shared.delivery.attempt(
            Mail("me@example.org"),
            {RECIPIENT: said.route},
            CONTENT % name.encode(),
            requests={},
            trace=name,
            warrant=Warrant(may_finish, asyncio.get_running_loop().create_future()),
        )
        return outcomes[RECIPIENT]

    try:
        yield send
    finally:
        await shared.delivery.close()
        shared.maps.release()


async def test_mail_leaves_by_the_provider(provider: Provider, tmp_path: Path) -> None:
    events = CollectedEvents()
    async with NameServer({PROVIDER: {"A": ("127.0.0.1",)}}) as names:
        config = write(tmp_path, provider, names.port)
        credentials = tmp_path / "relay.toml"
        good = credentials.read_text()
        for number, mechanism in enumerate(("", "SCRAM-SHA-256", "PLAIN", "LOGIN")):
            credentials.write_text(f'{good}mechanism = "{mechanism}"\n' if mechanism else good)
            async with node(config, events) as send:
                assert (await send(f"n{number}")).result is Result.DELIVERED
            await until(partial(provider.has_taken, f"n{number}"))
            used = f"sasl_method={mechanism or 'SCRAM-SHA-256'}, sasl_username=example.org"
            await until(partial(provider.has_logged, used))
        assert events.named("delivery.not_logged_in") == []


async def test_a_wrong_password_lets_the_mail_wait_until_it_is_mended(provider: Provider, tmp_path: Path) -> None:
    events = CollectedEvents()
    async with NameServer({PROVIDER: {"A": ("127.0.0.1",)}}) as names:
        config = write(tmp_path, provider, names.port)
        credentials = tmp_path / "relay.toml"
        good = credentials.read_text()
        credentials.write_text(good.replace('"secret"', '"mistaken"'))
        async with node(config, events) as send:
            refused = await send("one")
            assert (refused.result, str(refused.reply)) == (
                Result.DELAYED,
                f"450 4.7.8 {PROVIDER} does not let us log in",
            )
            (told,) = events.named("delivery.not_logged_in")
            assert (told["credentials"], told["next_hop"]) == ("relay", PROVIDER)
            assert str(told["why"]).startswith("SCRAM-SHA-256: 535 5.7.8 ")
        credentials.write_text(good)
        async with node(config, events) as send:
            assert (await send("two")).result is Result.DELIVERED
        assert "mistaken" not in str(events.events)
        assert not provider.has_taken("one")

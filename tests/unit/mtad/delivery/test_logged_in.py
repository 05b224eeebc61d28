"""Mail by a next hop that wants to know who we are: to whom the password is told, and what comes of a refusal."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mtad.delivery.connection import Hop
from mtad.mail.outcome import Result
from mtad.mail.route import TlsLevel
from mtad.telemetry.events import Value
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.name_server import Zone
from tests.fakes.outgoing import Outgoing, U, outgoing, said, to
from tests.fakes.scripted_server import PLAIN_EXTENSIONS, Script, ScriptedServer

OFFERING = (*PLAIN_EXTENSIONS, "AUTH PLAIN")
LOOPBACK: Mapping[str, tuple[str, ...]] = {"A": ("127.0.0.1",)}
WORDS = b"\0alice\0pencil"


@dataclass
class House:
    """A next hop whose certificate is for mx.test, by an authority that nobody else knows."""

    authority: CertificateAuthority
    tls_context: ssl.SSLContext
    credentials: Path


@pytest.fixture
def house(tmp_path: Path) -> House:
    authority = CertificateAuthority(tmp_path)
    issued = authority.issue("mx.test")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.cert_path, issued.key_path)
    path = tmp_path / "relay.toml"
    path.write_text(f'user = "alice"\npassword = "pencil"\nca = "{authority.path}"\n')
    path.chmod(0o600)
    return House(authority, context, path)


@asynccontextmanager
async def sending(house: House, names: Zone | None = None) -> AsyncIterator[Outgoing]:
    async with outgoing(names, credentials={"relay": house.credentials}) as out:
        yield out
        assert "pencil" not in str(out.events.events)


def failures(out: Outgoing) -> list[dict[str, Value]]:
    return out.events.named("delivery.not_logged_in")


async def attempted(out: Outgoing, server: ScriptedServer, host: str = "", tls: TlsLevel = TlsLevel.MAY) -> str:
    route = replace(to(server, tls=tls), hosts=(host or server.host,), credentials="relay")
    return said((await out.attempt({U: route}))[U])


async def test_to_a_name_whose_certificate_is_good(house: House) -> None:
    script = Script(tls_context=house.tls_context, extensions=OFFERING)
    async with ScriptedServer(script) as server, sending(house, {"mx.test": LOOPBACK}) as out:
        assert await attempted(out, server, "mx.test") == "delivered 250 2.0.0"
        assert await attempted(out, server, "mx.test", TlsLevel.NONE) == "delivered 250 2.0.0"
        assert server.logins == [WORDS, WORDS]
        assert [message.is_tls for message in server.messages] == [True, True]
        assert server.commands[:4] == ["EHLO us.test", "STARTTLS", "EHLO us.test", "AUTH PLAIN"]


async def test_a_name_that_dns_leads_to_this_machine_gets_nothing_in_clear(house: House) -> None:
    house.credentials.write_text('user = "alice"\npassword = "pencil"\n')
    async with ScriptedServer(Script(extensions=OFFERING)) as server, sending(house, {"mx.test": LOOPBACK}) as out:
        assert await attempted(out, server, "mx.test") == "delayed 450 4.7.4"
        assert server.logins == []


async def test_mail_without_a_login_goes_over_other_connections(house: House) -> None:
    async with ScriptedServer(Script(extensions=OFFERING)) as server, sending(house) as out:
        house.credentials.write_text('user = "alice"\npassword = "pencil"\n')
        for route in (to(server), replace(to(server), credentials="relay"), to(server)):
            assert said((await out.attempt({U: route}))[U]) == "delivered 250 2.0.0"
        assert server.logins == [WORDS]
        assert server.connections_count == 2


@pytest.mark.parametrize("host", ["elsewhere.test", "127.0.0.1"])
async def test_a_certificate_for_another_name_gets_nothing(host: str, house: House) -> None:
    script = Script(tls_context=house.tls_context, extensions=OFFERING)
    async with ScriptedServer(script) as server, sending(house, {"elsewhere.test": LOOPBACK}) as out:
        assert await attempted(out, server, host) == "delayed 450 4.7.5"
        assert (server.logins, server.messages) == ([], [])
        (failure,) = failures(out)
        assert failure["credentials"] == "relay"
        assert failure["next_hop"] == host
        assert str(failure["why"]).startswith("its certificate is not good: ")


async def test_a_certificate_of_another_authority_gets_nothing(house: House, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority(tmp_path / "other", "other-ca")
    house.credentials.write_text(f'user = "alice"\npassword = "pencil"\nca = "{other.path}"\n')
    script = Script(tls_context=house.tls_context, extensions=OFFERING)
    async with ScriptedServer(script) as server, sending(house, {"mx.test": LOOPBACK}) as out:
        assert await attempted(out, server, "mx.test") == "delayed 450 4.7.5"
        assert (server.logins, server.messages) == ([], [])


async def test_without_tls_an_authority_that_is_named_gets_nothing_said(house: House) -> None:
    async with ScriptedServer(Script(extensions=OFFERING)) as server, sending(house) as out:
        assert await attempted(out, server) == "delayed 450 4.7.4"
        assert server.logins == []
        assert [failure["why"] for failure in failures(out)] == ["no TLS"]


async def test_on_this_machine_clear_text_will_do(house: House) -> None:
    house.credentials.write_text('user = "alice"\npassword = "pencil"\n')
    async with ScriptedServer(Script(extensions=OFFERING)) as server, sending(house) as out:
        assert await attempted(out, server, tls=TlsLevel.NONE) == "delivered 250 2.0.0"
        assert server.logins == [WORDS]


@pytest.mark.parametrize(
    ("hop", "is_near"),
    [
        (Hop("127.0.0.9", 25, "127.0.0.9"), True),
        (Hop("::1", 25, "0:0::1"), True),
        (Hop("127.0.0.1", 25, "mx.test"), False),
        (Hop("127.0.0.1", 25, "127.1"), False),
        (Hop("/run/relay", 0, "unix:/run/relay"), True),
        (Hop("192.0.2.1", 25, "127.0.0.1"), False),
        (Hop("2001:db8::1", 25, "mx.test"), False),
    ],
)
def test_what_is_on_this_machine(hop: Hop, is_near: bool) -> None:
    assert hop.is_near is is_near


async def test_a_refusal_is_temporary_and_the_hop_is_left_alone_for_a_while(house: House) -> None:
    house.credentials.write_text('user = "alice"\npassword = "pencil"\n')
    script = Script({"auth": ("535 5.7.8 No", "235 2.7.0 Hello")}, extensions=OFFERING)
    async with ScriptedServer(script) as server, sending(house) as out:
        assert await attempted(out, server) == "delayed 450 4.7.8"
        assert failures(out) == [{"credentials": "relay", "next_hop": "127.0.0.1", "why": "PLAIN: 535 5.7.8 No"}]
        assert await attempted(out, server) == "delayed 450 4.4.1"
        assert server.connections_count == 1
        out.delivery.forget_failures()
        assert await attempted(out, server) == "delivered 250 2.0.0"


async def test_at_rcpt_a_refusal_is_temporary_too(house: House) -> None:
    house.credentials.write_text('user = "alice"\npassword = "pencil"\n')
    async with ScriptedServer(Script({"auth": "535 5.7.8 No"}, extensions=OFFERING)) as server, sending(house) as out:
        heard, _ = await out.through({U: replace(to(server), credentials="relay")})
        outcome = heard[U]
        assert outcome is not None
        assert outcome.result is Result.DELAYED
        assert str(outcome.reply) == "450 4.7.8 127.0.0.1 does not let us log in"


async def test_credentials_that_cannot_be_read_are_our_fault(house: House) -> None:
    house.credentials.chmod(0o644)
    async with ScriptedServer(Script(extensions=OFFERING)) as server, sending(house) as out:
        outcomes = await out.attempt({U: replace(to(server), credentials="relay")})
        assert said(outcomes[U]) == "delayed 451 4.3.5"
        assert outcomes[U].is_misled
        assert server.connections_count == 0
        assert [failure["why"] for failure in failures(out)] == [f"{house.credentials}: is open to others (mode 0644)"]


async def test_a_name_that_this_node_does_not_have_is_our_fault(house: House) -> None:
    async with ScriptedServer(Script(extensions=OFFERING)) as server, sending(house) as out:
        assert said((await out.attempt({U: replace(to(server), credentials="gone")}))[U]) == "delayed 451 4.3.5"
        assert server.connections_count == 0

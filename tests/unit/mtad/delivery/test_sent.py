"""What a next hop is sent: which recipients at once, contents and addresses as it takes them; by SMTP and by LMTP."""

from __future__ import annotations

import pytest

from mtad.delivery.through import DeliveryLimits
from mtad.mail.route import Route
from tests.fakes.outgoing import CONTENT, U, V, W, outgoing, said, to
from tests.fakes.scripted_server import DROP, Script, ScriptedServer


async def test_many_recipients_are_split() -> None:
    limits = DeliveryLimits(recipients_per_transaction_max=3)
    async with ScriptedServer() as server, outgoing(limits=limits) as out:
        outcomes = await out.attempt({f"u{number}@b.test": to(server) for number in range(8)})
        assert {said(outcome) for outcome in outcomes.values()} == {"delivered 250 2.0.0"}
        assert sorted(len(message.recipients) for message in server.messages) == [2, 3, 3]


async def test_recipients_of_domains_with_the_same_mx_share_a_transaction() -> None:
    records = {"MX": ("10 mx.test.", "20 mx2.test.")}
    zone = {"b.test": records, "c.test": records, "mx.test": {"A": ("127.0.0.1",)}, "mx2.test": {"A": ("127.0.0.2",)}}
    async with ScriptedServer() as server, outgoing(zone) as out:
        route = Route(port=server.port)
        await out.attempt({U: route, W: route})
        assert [message.recipients for message in server.messages] == [(U, W)]


async def test_the_same_recipient_twice_is_asked_for_once() -> None:
    async with ScriptedServer(Script(recipients={V: "550 no"})) as server, outgoing() as out:
        transaction = out.open()
        heard = [await transaction.recipient(address, to(server)) for address in (U, U, V, V)]
        assert [said(outcome) for outcome in heard] == ["", "", "failed 550", "failed 550"]
        await transaction.finish(CONTENT, 20)
        assert server.messages[0].recipients == (U,)


async def test_large_content_arrives_whole() -> None:
    content = b"Subject: x\r\n\r\n" + b".dot and more\r\n" * 200_000
    async with ScriptedServer() as server, outgoing() as out:
        _, finished = await out.through({U: to(server)}, content)
        assert said(finished.outcomes[U]) == "delivered 250 2.0.0"
        assert server.messages[0].content == content


@pytest.mark.parametrize("content", [b"a\nb\r\n", b"a\rb\r\n", b"a\r\n.\n\r\n", b"no end"])
async def test_stray_line_ends_are_never_sent(content: bytes) -> None:
    async with ScriptedServer() as server, outgoing() as out:
        _, finished = await out.through({U: to(server)}, content)
        assert said(finished.outcomes[U]) == "delayed 451 4.3.0"
        assert "DATA" not in server.commands
        assert len(out.events.named("delivery.fault")) == 1


@pytest.mark.parametrize("address", ["a\r\nDATA\r\n@b.test", "a>b@b.test", "\0@b.test"])
async def test_addresses_cannot_carry_commands(address: str) -> None:
    async with ScriptedServer() as server, outgoing() as out:
        heard, _ = await out.through({address: to(server)})
        assert said(heard[address]) == "delayed 451 4.3.0"
        transaction = out.open(reverse_path=address)
        assert said(await transaction.recipient(U, to(server))) == "delayed 451 4.3.0"
        assert server.commands == []


async def test_smtputf8() -> None:
    async with (
        ScriptedServer() as able,
        ScriptedServer(Script(extensions=("PIPELINING", "8BITMIME"))) as unable,
        outgoing() as out,
    ):
        recipients = {"ü@b.test": to(able), U: to(unable), "ö@b.test": to(unable)}
        outcomes = await out.attempt(recipients, is_utf8=True, is_8bit=True)
        assert {a: said(o) for a, o in outcomes.items()} == {
            "ü@b.test": "delivered 250 2.0.0",
            U: "delivered 250 2.0.0",
            "ö@b.test": "failed 553 5.6.7",
        }
        assert able.messages[0].mail == f"MAIL FROM:<x@a.test> SIZE={len(CONTENT)} BODY=8BITMIME SMTPUTF8"
        assert unable.messages[0].mail == "MAIL FROM:<x@a.test> BODY=8BITMIME"
        assert said((await out.attempt({"ü@b.test": to(able)}))["ü@b.test"]) == "failed 553 5.6.7"


async def test_a_header_in_utf8_fails_where_it_is_known_and_a_local_part_where_it_is_asked_for() -> None:
    content = "Subject: Grüße\r\n\r\n".encode()
    async with (
        ScriptedServer() as able,
        ScriptedServer(Script(extensions=("PIPELINING",))) as unable,
        outgoing() as out,
    ):
        transaction = out.open(is_utf8=True)
        assert await transaction.recipient(U, to(unable)) is None
        assert said(await transaction.recipient("ü@b.test", to(unable))) == "failed 553 5.6.7"
        assert await transaction.recipient(V, to(able)) is None
        outcomes = (await transaction.finish(content, 20)).outcomes
        assert {a: said(o) for a, o in outcomes.items()} == {
            U: "failed 550 5.6.9",
            "ü@b.test": "failed 553 5.6.7",
            V: "delivered 250 2.0.0",
        }
        assert unable.messages == []
        outcomes = await out.attempt({U: to(unable)}, content)  # whose sender did not say SMTPUTF8: it goes as it came
        assert said(outcomes[U]) == "delivered 250 2.0.0"


async def test_a_domain_in_utf8_is_looked_up_in_its_ascii_form() -> None:
    async with ScriptedServer() as server, outgoing({"xn--bcher-kva.test": {"A": (server.host,)}}) as out:
        outcomes = await out.attempt({"u@Bücher.test": Route(port=server.port)}, is_utf8=True)
        assert said(outcomes["u@Bücher.test"]) == "delivered 250 2.0.0"
        outcomes = await out.attempt({"u@\u212ab.test": Route(port=server.port)}, is_utf8=True)
        assert said(outcomes["u@\u212ab.test"]) == "failed 550 5.1.2"


async def test_message_larger_than_the_next_hop_takes() -> None:
    async with ScriptedServer(Script(extensions=("PIPELINING", "SIZE 20"))) as server, outgoing() as out:
        heard, finished = await out.through({U: to(server)})
        assert heard == {U: None}
        assert said(finished.outcomes[U]) == "failed 552 5.3.4"
        assert "DATA" not in server.commands


async def test_lmtp_over_a_unix_socket(tmp_path: object) -> None:
    script = Script(is_lmtp=True, recipients={W: "550 5.1.1 no"}, dots={V: "452 4.2.2 Over quota"})
    async with ScriptedServer(script, path=f"{tmp_path}/lmtp") as server, outgoing() as out:
        heard, finished = await out.through({U: to(server), V: to(server), W: to(server)})
        assert said(heard[W]) == "failed 550 5.1.1"
        assert {a: said(o) for a, o in finished.outcomes.items()} == {
            U: "delivered 250 2.0.0",
            V: "delayed 452 4.2.2",
            W: "failed 550 5.1.1",
        }
        assert finished.outcomes[U].next_hop == f"unix:{server.path}"
        assert server.commands[0] == "LHLO us.test"


async def test_lmtp_loses_the_connection_between_two_recipients() -> None:
    script = Script(is_lmtp=True, dots={V: DROP})
    async with ScriptedServer(script) as server, outgoing() as out:
        outcomes = await out.attempt({U: to(server), V: to(server)})
        assert {a: said(o) for a, o in outcomes.items()} == {U: "delivered 250 2.0.0", V: "unknown 450 4.4.2"}


async def test_recipients_of_a_next_hop_with_prdr_have_their_own_replies() -> None:
    dots = {V: "452 4.2.2 Over quota", W: "550 5.7.1 Not for me"}
    async with ScriptedServer(Script(dots=dots, extensions=("PIPELINING", "PRDR"))) as server, outgoing() as out:
        for _ in range(2):  # the connection is as good as new after such an end
            _, finished = await out.through({U: to(server), V: to(server), W: to(server)})
            assert {a: said(o) for a, o in finished.outcomes.items()} == {
                U: "delivered 250 2.0.0",
                V: "delayed 452 4.2.2",
                W: "failed 550 5.7.1",
            }
        assert server.connections_count == 1

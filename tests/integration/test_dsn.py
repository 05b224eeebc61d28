"""What senders are told, between real programs: Postfix, which offers DSN, behind us and before us, and Dovecot."""

from __future__ import annotations

import email
import smtplib
from collections.abc import Sequence
from email.message import Message

import pytest

from mtad.lab.conversation import Program, Taken
from mtad.lab.ports import free_port
from tests.integration.sending import HEADER, SENDER, NextHop, client_of, next_hop
from tests.peers.dovecot import dovecot
from tests.peers.mtad import AS_USED, pair, policy_to, single
from tests.peers.postfix import postfix
from tests.peers.process import wait_until

pytestmark = [pytest.mark.peer, pytest.mark.timeout(120)]

TO_SENDER = """if envelope "to" "%s" { route :host "127.0.0.1" :nomx :port %d :tls "none" "smtp"; }"""


def ask(client: smtplib.SMTP, recipient: str, mail: Sequence[str] = (), rcpt: Sequence[str] = ()) -> str:
    """Send one message with parameters; return the last reply."""
    for code, text in (client.mail(SENDER, mail), client.rcpt(recipient, rcpt)):
        assert code == 250, text
    code, text = client.data(HEADER + b"\r\nbody\r\n")
    assert code == 250, text
    return text.decode()


def reports(hop: NextHop) -> list[Taken]:
    return [message for message in hop.taken if message.recipients == (SENDER,)]


def the_report(hop: NextHop) -> tuple[Message, Message, Message]:
    """Return the one report that has come: all of it, its fields on the message, those on the recipient."""
    (taken,) = reports(hop)
    assert taken.reverse_path == ""
    whole = email.message_from_bytes(taken.content)
    assert whole.get_param("report-type") == "delivery-status"
    on_message, on_recipient = whole.get_payload()[1].get_payload()
    return whole, on_message, on_recipient


def test_what_is_asked_goes_on_to_a_postfix_which_tells_the_sender() -> None:
    with next_hop() as hop, postfix(hop.port) as behind, single(policy_to(behind.port)) as node:
        with client_of(node) as client:
            assert client.has_extn("dsn")
            rcpt = ("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob+2Bx@example.org")
            ask(client, "b@example.test", ("RET=HDRS", "ENVID=QQ+3D314"), rcpt)
        wait_until(lambda: bool(reports(hop)), "the report arrives", behind.folder / "log")
        _, on_message, on_recipient = the_report(hop)
        assert on_message["Reporting-MTA"] == "dns; postfix.lab.test"
        assert on_message["Original-Envelope-Id"] == "QQ=314"
        assert on_recipient["Original-Recipient"] == "rfc822;Bob+x@example.org"
        assert on_recipient["Action"] == "relayed"
        assert not node.queue()


def test_who_asked_a_postfix_before_us_hears_from_us_that_the_message_was_relayed() -> None:
    with (
        next_hop() as hop,
        single(policy_to(hop.port)) as node,
        postfix(node.smtp_port) as before,
        smtplib.SMTP("127.0.0.1", before.port, timeout=60) as client,
    ):
        client.ehlo("client.test")
        ask(client, "b@example.test", ("RET=FULL", "ENVID=abc"), ("NOTIFY=SUCCESS",))
        wait_until(lambda: bool(reports(hop)), "the report arrives", node.log)
        whole, on_message, on_recipient = the_report(hop)
        assert on_message["Reporting-MTA"] == "dns; one.mtad.test"
        assert on_message["Original-Envelope-Id"] == "abc"
        assert on_recipient["Original-Recipient"] == "rfc822; b@example.test"  # Postfix says it for who did not
        assert (on_recipient["Action"], on_recipient["Status"]) == ("relayed", "2.0.0")
        assert whole.get_payload()[2].get_content_type() == "text/rfc822-headers"  # RET is of failures alone
        assert [message.recipients for message in hop.taken if message.reverse_path] == [("b@example.test",)]


def test_what_dovecot_takes_is_delivered() -> None:
    with next_hop() as hop, dovecot(("alice",)) as boxes:
        policy = policy_to(boxes.port, transport="lmtp", actions=TO_SENDER % (SENDER, hop.port))
        with single(policy) as node, client_of(node) as client:
            ask(client, "alice@local.test", (), ("NOTIFY=SUCCESS",))
            wait_until(lambda: bool(reports(hop)), "the report arrives", node.log)
            _, _, on_recipient = the_report(hop)
            assert (on_recipient["Action"], on_recipient["Final-Recipient"]) == (
                "delivered",
                "rfc822; alice@local.test",
            )
            assert len(boxes.messages("alice")) == 1


@pytest.mark.parametrize("is_able", [True, False])
def test_an_address_in_utf8_goes_to_a_postfix_that_takes_it_and_to_no_other(is_able: bool) -> None:
    settings = {"smtputf8_enable": "yes" if is_able else "no"}
    with next_hop() as hop, postfix(hop.port, settings=settings) as behind, single(policy_to(behind.port)) as node:
        with client_of(node) as client:
            assert client.mail(SENDER, ("SMTPUTF8",))[0] == 250
            client.command_encoding = "utf-8"
            code, text = client.rcpt("jörg@example.test")
            assert (code, text[:5]) == ((250, b"2.1.5") if is_able else (553, b"5.6.7"))
            code, text = client.rcpt("b@bücher.test")
            assert code == 250, text
            assert client.data(HEADER + b"\r\nbody\r\n")[0] == 250
        wait_until(lambda: bool(hop.taken), "it arrives behind Postfix", behind.folder / "log")
        wanted = {"jörg@example.test", "b@bücher.test"} if is_able else {"b@xn--bcher-kva.test"}
        assert set(hop.taken[0].recipients) == wanted


def test_a_delay_is_told_once_though_another_node_takes_the_queue_over() -> None:
    policy = policy_to
    with next_hop() as hop:
        plan = ':intervals ["1"] :delaydsn 2'
        with pair(policy(hop.port, actions="queue :transient;", retry=plan), AS_USED) as (one, two):
            hop.sink.program = Program(rcpt={"b@example.test": 450})
            with client_of(one) as client:
                ask(client, "b@example.test")
            wait_until(lambda: bool(reports(hop)), "the warning arrives", one.log)
            _, _, on_recipient = the_report(hop)
            assert (on_recipient["Action"], on_recipient["Status"]) == ("delayed", "4.2.0")
            assert on_recipient["Will-Retry-Until"]
            wait_until(lambda: len(two.queue()) == 1, "the other node knows that the warning has gone", two.log)
            one.kill()
            wait_until(lambda: two.has_role("active"), "the other node takes over", two.log)
            log_octets = two.log.stat().st_size
            attempts = "event=delivery.outcome"
            wait_until(lambda: two.log.read_text()[log_octets:].count(attempts) >= 3, "it goes on trying", two.log)
            hop.sink.program = Program()
            wait_until(lambda: not two.queue(), "it is delivered", two.log)
            assert len(reports(hop)) == 1


def test_what_is_late_in_the_queue_is_told_and_stays_there() -> None:
    with next_hop() as hop, single(policy_to(free_port(), actions=TO_SENDER % (SENDER, hop.port))) as node:
        with client_of(node) as client:
            ask(client, "b@example.test", ("BY=1;N",))
        wait_until(lambda: bool(reports(hop)), "the report arrives", node.log)
        _, on_message, on_recipient = the_report(hop)
        assert on_message["Deliver-By-Date"]
        assert (on_recipient["Action"], on_recipient["Status"]) == ("delayed", "4.4.7")
        assert [one["address"] for entry in node.queue() for one in entry["recipients"]] == ["b@example.test"]


def test_a_next_hop_that_keeps_to_no_time_gets_what_may_be_late_and_its_sender_hears_of_that() -> None:
    with next_hop() as hop, single(policy_to(hop.port)) as node:
        with client_of(node) as client:
            assert client.esmtp_features["deliverby"] == "60"
            assert client.mail(SENDER, ("BY=600;R",))[0] == 250
            code, text = client.rcpt("b@example.test")
            assert (code, text[:5]) == (554, b"5.4.7")
            client.rset()
            ask(client, "b@example.test", ("BY=600;N",))
        wait_until(lambda: bool(reports(hop)), "the report arrives", node.log)
        assert the_report(hop)[2]["Action"] == "relayed"
        assert [message.recipients for message in hop.taken if message.reverse_path] == [("b@example.test",)]

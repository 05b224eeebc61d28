"""A message's life in the queue, end to end: retry, expiry, refusal, DSN, hold, flush."""

from __future__ import annotations

import email
import time

from mtad.lab.conversation import Program, Taken
from mtad.lab.ports import free_port
from tests.integration.sending import HEADER, NextHop, client_of, next_hop, queue_ids, send
from tests.peers.mtad import DOMAIN, pair, policy_to, single
from tests.peers.process import wait_until

SENDER = f"a@{DOMAIN}"


def keeping(hop: NextHop, retry: str) -> str:
    return policy_to(hop.port, actions="queue :transient;", retry=retry)


def reports(hop: NextHop) -> list[Taken]:
    return [message for message in hop.taken if message.recipients == (SENDER,)]


def queue_id_of(reply: str) -> str:
    return reply.split("queued as ")[1].split()[0]


def test_what_is_delayed_is_tried_again_and_arrives_as_it_was_signed() -> None:
    with next_hop() as hop, single(keeping(hop, ':intervals ["1"]')) as node:
        hop.sink.program = Program(dot={"": 451})
        code, text = send(node)
        assert (code, "(1 copy)" in text) == (250, True)
        (entry,) = node.queue()
        assert entry["queue_id"] == queue_id_of(text)
        assert "451" in entry["recipients"][0]["delay_reason"]
        hop.sink.program = Program()
        wait_until(lambda: len(hop.taken) == 1 and not node.queue(), "it is delivered", node.log)
        content = hop.taken[0].content
        assert content.count(b"DKIM-Signature:") == 1
        assert content.count(b"\r\nReceived:") + content.startswith(b"Received:") == 1
        assert content.endswith(HEADER + b"\r\nx\r\n")


def test_what_is_too_old_goes_back_with_a_dsn_on_one_node_of_a_pair() -> None:
    with next_hop() as hop, pair(keeping(hop, ':intervals ["1"] :expire 3')) as (one, two):
        hop.sink.program = Program(dot={"b@example.test": 451})
        _, text = send(one)
        assert text.endswith("(2 copies)")
        wait_until(lambda: bool(reports(hop)), "the DSN arrives", one.log)
        (report,) = reports(hop)
        message = email.message_from_bytes(report.content)
        assert message.get_content_type() == "multipart/report"
        status = message.get_payload()[1].get_payload()[1]
        assert status["Final-Recipient"] == "rfc822; b@example.test"
        assert (status["Action"], status["Status"]) == ("failed", "5.4.7")
        assert report.reverse_path == ""
        assert b"DKIM-Signature:" in report.content
        wait_until(lambda: not one.queue() and not two.queue(), "both queues are empty", one.log)
        time.sleep(1.5)  # a second DSN would come with the next attempt
        assert len(reports(hop)) == 1


def test_what_is_refused_for_good_after_it_was_queued_goes_back_with_the_next_hops_words() -> None:
    with next_hop() as hop, single(keeping(hop, ':intervals ["1"]')) as node:
        hop.sink.program = Program(dot={"b@example.test": 451})
        assert send(node)[0] == 250
        hop.sink.program = Program(rcpt={"b@example.test": 550})
        wait_until(lambda: bool(reports(hop)), "the DSN arrives", node.log)
        assert b"550 5.1.1" in reports(hop)[0].content
        wait_until(lambda: not node.queue(), "the queue is empty", node.log)


def test_a_dsn_that_cannot_be_delivered_makes_no_dsn() -> None:
    with next_hop() as hop, single(keeping(hop, ':intervals ["1"]')) as node:
        hop.sink.program = Program(dot={"b@example.test": 451})
        assert send(node)[0] == 250
        hop.sink.program = Program(rcpt={"": 550})
        wait_until(lambda: not node.queue(), "the queue is empty", node.log)
        assert hop.taken == []
        assert "event=dsn.undeliverable" in node.log.read_text()


def test_one_of_two_recipients_is_delivered_once_and_the_other_is_kept() -> None:
    with next_hop() as hop, single(keeping(hop, ':intervals ["1"]')) as node:
        hop.sink.program = Program(rcpt={"slow@example.test": 451})
        with client_of(node) as client:
            client.mail(SENDER)
            assert client.rcpt("fast@example.test")[0] == 250
            assert client.rcpt("slow@example.test")[0] == 250
            code, text = client.data(HEADER + b"\r\nboth\r\n")
        assert code == 250
        assert queue_ids(node) == {queue_id_of(text.decode())}
        hop.sink.program = Program()
        wait_until(lambda: not node.queue(), "the queue is empty", node.log)
        assert sorted(recipient for message in hop.taken for recipient in message.recipients) == [
            "fast@example.test",
            "slow@example.test",
        ]


def test_a_held_message_waits_for_its_release_and_a_flush_does_not_wait() -> None:
    with next_hop() as hop, single(keeping(hop, ':intervals ["3600"]')) as node:
        hop.sink.program = Program(dot={"": 451})
        held, flushed = (queue_id_of(send(node)[1]) for _ in range(2))
        hop.sink.program = Program()
        node.mtactl("queue", "hold", held)
        node.mtactl("queue", "flush", "--all")
        wait_until(lambda: queue_ids(node) == {held}, "the flushed one is delivered", node.log)
        assert len(hop.taken) == 1
        shown = node.mtactl("queue", "show", held, "--json")
        assert held in shown
        assert "451" in shown
        node.mtactl("queue", "release", held)
        wait_until(lambda: len(hop.taken) == 2 and not node.queue(), "the released one is delivered", node.log)
        assert flushed != held


def test_a_flush_of_one_destination_asks_a_next_hop_that_was_left_alone() -> None:
    port = free_port()
    with pair(policy_to(port, actions="queue :transient;", retry=':intervals ["5", "3600"]')) as (one, two):
        left, flushed = (queue_id_of(send(one, recipient=f"b@{domain}.test")[1]) for domain in ("left", "flushed"))
        # The first failure leaves the hop alone for 5 s, the second one for 10.
        wait_until(lambda: all(entry["attempts"] >= 2 for entry in one.queue()), "both were tried again", one.log)
        with next_hop(port) as hop:
            two.mtactl("queue", "flush", "--domain", "flushed.test")  # the passive node: the active one is told
            wait_until(lambda: queue_ids(one) == {left}, "the flushed one is delivered", one.log)
            assert [message.recipients for message in hop.taken] == [("b@flushed.test",)]
            assert flushed not in queue_ids(one)


def test_a_flush_at_one_node_reaches_who_delivers_while_clients_wait_at_both() -> None:
    """In workers, which have a memory of their own of next hops that did not answer."""
    port = free_port()
    with pair(policy_to(port, retry=':intervals ["3600"]'), {"node": {"workers": 1}}) as (one, two):

        def delivered_through() -> list[bool]:
            return ["delivered" in send(node)[1] for node in (one, two)]

        kept = queue_id_of(send(one)[1])
        assert delivered_through() == [False, False]
        with next_hop(port) as hop:
            assert delivered_through() == [False, False], "it did not answer a moment ago"
            one.mtactl("queue", "flush", kept)
            wait_until(lambda: kept not in queue_ids(two), "it is delivered", one.log)
            # what is delivered may be gone before the other node looks at it: that one then asks after its rest
            wait_until(lambda: delivered_through() == [True, True], "both ask again", two.log)
            assert len(hop.taken) >= 3


def test_the_queue_survives_a_kill_of_the_only_node() -> None:
    with next_hop() as hop, single(keeping(hop, ':intervals ["1"]')) as node:
        hop.sink.program = Program(dot={"": 451})
        kept = {queue_id_of(send(node)[1]) for _ in range(20)}
        node.kill()
        node.start()
        assert queue_ids(node) == kept
        hop.sink.program = Program()
        wait_until(lambda: not node.queue(), "all is delivered", node.log)
        assert len({message.content for message in hop.taken}) == 20

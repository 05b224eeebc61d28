"""What a policy says of a message and its recipients, end to end: who gets it, what is held, who is given up."""

from __future__ import annotations

from functools import partial

from mtad.lab.conversation import Program
from tests.integration.sending import SENDER, client_of, next_hop, send
from tests.peers.mtad import MtadNode, pair, policy_to, single
from tests.peers.process import wait_until

REQUIRE = 'require ["variables", "vnd.mtad.stage"'
STAGES = """
stage "rcpt" { set "rcpt.kind" "known"; }
stage "data" { if header "x-spam" "yes" { quarantine "spam"; } }
stage "queue" { if outcome "code" "450" { bounce :enhanced "5.1.6" "It has moved, and was ${rcpt.kind}"; } }
"""


def is_held(node: MtadNode) -> bool:
    """Tell whether one message is there, and waits for an operator."""
    return [entry["queue_name"] for entry in node.queue()] == ["hold"]


def test_policy_rules_the_queue_on_both_nodes() -> None:
    with next_hop() as hop:
        text = policy_to(hop.port, actions="queue;", retry=':intervals ["1"]') + STAGES
        with pair(text.replace('require ["envelope", "vnd.mtad.stage"', f'{REQUIRE}, "envelope"')) as (one, two):
            with client_of(one) as client:
                for recipient, field in (("held@example.test", b"X-Spam: yes\r\n"), ("gone@example.test", b"")):
                    client.mail(SENDER)
                    client.rcpt(recipient)
                    hop.sink.program = Program(rcpt={"gone@example.test": 450})
                    code, reply = client.data(field + b"From: <a@mtad.test>\r\n\r\nx\r\n")
                    assert (code, "(2 copies)" in reply.decode()) == (250, True)
            wait_until(lambda: any(taken.recipients == (SENDER,) for taken in hop.taken), "it is bounced", one.log)
            report = next(taken for taken in hop.taken if taken.recipients == (SENDER,))
            assert b"It has moved, and was known" in report.content
            for node in (one, two):
                wait_until(partial(is_held, node), "it is held", node.log)
                (entry,) = node.queue()
                assert entry["recipients"][0]["delay_reason"] == "held quarantine spam"
            one.mtactl("queue", "release", "--all")
            wait_until(lambda: not one.queue(), "it is delivered", one.log)
            assert ("held@example.test",) in [taken.recipients for taken in hop.taken]


def test_who_is_refused_when_the_content_is_there_gets_nothing() -> None:
    stages = """
stage "rcpt" { if envelope "to" "alias@example.test" { setrcpt "real@example.test"; } }
stage "data" {
    addheader "X-Checked" "yes";
    foreachrcpt { if envelope "to" "no@example.test" { ereject "Not for you"; } }
}
"""
    with next_hop() as hop:
        text = (policy_to(hop.port) + stages).replace("[", '["ereject", "editheader", "vnd.mtad.envelope", ', 1)
        with single(text) as node, client_of(node) as client:
            client.mail(SENDER)
            for name in ("alias", "no", "one"):
                assert client.rcpt(f"{name}@example.test")[0] == 250
            code, reply = client.data(b"From: <a@mtad.test>\r\n\r\nx\r\n")
            assert (code, b"delivered" in reply) == (250, True)
            wait_until(lambda: len(hop.taken) == 2, "the sender is told", node.log)
            message, report = sorted(hop.taken, key=lambda taken: taken.recipients == (SENDER,))
            assert sorted(message.recipients) == ["one@example.test", "real@example.test"]
            assert b"\r\nX-Checked: yes\r\n" in message.content
            assert b"Not for you" in report.content
            assert b"no@example.test" in report.content


def test_whom_policy_adds_gets_the_mail_by_the_way_that_policy_has_chosen_after_a_takeover() -> None:
    stages = """
stage "data" {
    foreachrcpt { if envelope "to" "team@example.test" { delrcpt; addrcpt "ann@example.test"; } }
    addrcpt :hidden "archive@example.test";
}
stage "queue" { route :host "127.0.0.1" :port %d :tls "none" "smtp"; }
"""
    with next_hop() as hop, next_hop() as other:
        text = policy_to(hop.port, retry=':intervals ["1"]') + stages % other.port
        hop.sink.program = Program(rcpt={"archive@example.test": 450})
        other.sink.program = Program(rcpt={"archive@example.test": 452})
        text = text.replace("[", '["vnd.mtad.envelope", "vnd.mtad.queue", ', 1)
        with pair(text, {"replication": {"ack_within_seconds": 5}}) as (one, two):
            code, reply = send(one, recipient="team@example.test")
            assert (code, "(2 copies)" in reply) == (250, True)
            assert [taken.recipients for taken in hop.taken] == [("ann@example.test",)]
            wait_until(partial(is_told, two, "452"), "it is tried by the other way", one.log)
            hop.sink.program = Program()
            one.kill()
            two.mtactl("replica", "promote", "--force", expect=None)
            wait_until(lambda: two.has_role("active"), "the other node takes over", two.log)
            other.sink.program = Program()
            wait_until(lambda: not two.queue(), "it is delivered", two.log)
            assert ("archive@example.test",) in [taken.recipients for taken in other.taken]
            assert [taken.recipients for taken in hop.taken] == [("ann@example.test",)]


def is_told(node: MtadNode, code: str) -> bool:
    """Tell whether the one recipient in the queue was last answered so."""
    found = [recipient["delay_reason"] for entry in node.queue() for recipient in entry["recipients"]]
    return len(found) == 1 and code in found[0]

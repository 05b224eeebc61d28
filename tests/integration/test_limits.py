"""What a policy counts, in real nodes: over all workers, through restarts, at the other node after a takeover."""

from __future__ import annotations

import os
import signal
import smtplib

from tests.integration.sending import client_of
from tests.peers.mtad import MtadNode, children_of, pair, single
from tests.peers.process import wait_until

UNKNOWN = 451
TWO_WORKERS = {"node": {"workers": 2}}
POLICY = """\
require ["envelope", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.limits"];

stage "mail" {
    if envelope :localpart "from" "count" {
        if ratelimit :onerror "tempfail" :key "k" 3 86400 { tempfail :code 450 "over"; }
    } elsif envelope :localpart "from" "look" {
        if ratelimit :onerror "tempfail" :key "k" :peek 3 86400 { tempfail :code 450 "over"; }
    } elsif concurrency :onerror "tempfail" :key "k" 2 {
        tempfail :code 450 "many";
    }
}
"""


def asked(client: smtplib.SMTP, sender: str) -> int:
    """Say MAIL until the answer is known; on a busy machine it may not be within its second."""
    code = UNKNOWN
    while code == UNKNOWN:
        code = client.mail(f"{sender}@d.example")[0]
    return code


def mail(node: MtadNode, sender: str) -> int:
    with client_of(node) as client:
        return asked(client, sender)


def counts(node: MtadNode, times: int) -> bool:
    """Tell whether no more than three of so many were let pass, and the last was not."""
    codes = [mail(node, "count") for _ in range(times)]
    return 1 <= codes.count(250) <= 3 and codes[-1] == 450


def pid_of(node: MtadNode, name: str) -> int | None:
    assert node.process is not None
    return children_of(node.process.pid).get(name)


def test_all_workers_count_together_and_a_restart_forgets_nothing() -> None:
    with single(POLICY, TWO_WORKERS) as node:
        assert counts(node, 5)
        assert node.stop() == 0
        node.start()
        assert mail(node, "look") == 450
        spool = pid_of(node, "spool")
        assert spool is not None
        os.kill(spool, signal.SIGKILL)
        wait_until(lambda: pid_of(node, "spool") not in (None, spool), "a new spool process", node.log)
        wait_until(lambda: mail(node, "look") == 450, "it knows what was counted", node.log)


def test_a_node_without_workers_remembers_too() -> None:
    with single(POLICY, {"node": {"workers": 0}}) as node:
        assert counts(node, 4)
        assert node.stop() == 0
        node.start()
        assert mail(node, "look") == 450


def hold(node: MtadNode, why: str) -> smtplib.SMTP:
    """Hold a place, once one is free: who has let go of it may be another worker's client."""
    client = client_of(node)
    wait_until(lambda: asked(client, "hold") == 250, why, node.log)
    return client


def test_a_place_is_free_again_however_its_session_ends() -> None:
    with single(POLICY, TWO_WORKERS) as node:
        one, two = (hold(node, "there are two places") for _ in range(2))
        assert mail(node, "hold") == 450
        one.rset()
        hold(node, "the transaction is over").quit()
        wait_until(lambda: asked(one, "hold") == 250, "the session is over", node.log)
        assert mail(node, "hold") == 450
        two.sock.close()  # without a word
        two.close()
        hold(node, "the lost session holds nothing").quit()
        one.quit()
        clients = [hold(node, "all have gone") for _ in range(2)]
        assert mail(node, "hold") == 450
        for name in ("worker0", "worker1"):
            worker = pid_of(node, name)
            assert worker is not None
            os.kill(worker, signal.SIGKILL)
        wait_until(lambda: _is_free(node), "workers that died hold nothing", node.log)
        for client in clients:
            client.close()


def _is_free(node: MtadNode) -> bool:
    try:
        return mail(node, "hold") == 250
    except (OSError, smtplib.SMTPException):
        return False  # it is being started


def test_what_one_node_counted_counts_at_the_other_after_its_end() -> None:
    with pair(POLICY, TWO_WORKERS) as (one, two):
        assert counts(one, 4)
        wait_until(lambda: mail(two, "look") == 450, "the other node has heard of it", two.log)
        one.kill()
        two.mtactl("replica", "promote", "--force", expect=None)
        wait_until(lambda: two.has_role("active"), "a takeover", two.log)
        assert mail(two, "count") == 450
        one.start()
        wait_until(lambda: mail(one, "look") == 450, "what it knew itself", one.log)

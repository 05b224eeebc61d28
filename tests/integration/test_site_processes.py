"""A pair of processes and a site far away: what the pair leaves unfinished when it is lost, the site delivers."""

from __future__ import annotations

import json

import pytest

from mtad.lab.conversation import Program
from tests.integration.sending import next_hop, queue_ids, send
from tests.peers.mtad import MtadNode, pair_with_site, policy_to
from tests.peers.process import wait_until

pytestmark = pytest.mark.timeout(180)


def is_level(node: MtadNode) -> bool:
    return node.sites()["far"]["lag_records"] == 0


def test_a_site_delivers_what_a_lost_pair_left_and_gives_back() -> None:
    with next_hop() as hop:
        hop.sink.program = Program(rcpt={"": 450})
        policy = policy_to(hop.port, actions="queue;", retry=':intervals ["1"]')
        with pair_with_site(policy, terms={"octets_per_second": 1_000_000}) as (one, two, far):
            code, text = send(one)
            assert (code, text.rsplit("(", 1)[1]) == (250, "2 copies)")
            wait_until(lambda: queue_ids(far) == queue_ids(one) != set(), "the site has it", far.log)
            wait_until(lambda: is_level(two), "the site has confirmed it", two.log)
            shown = far.mtactl("status")
            assert "following, epoch" in shown
            assert "one: active, up, level" in shown
            refused = far.mtactl("site", "promote", "far", expect=1)
            assert refused.startswith("Refused: one is active")
            assert "What --force would risk: " in refused

            taken_at_the_site = send(far)
            assert (taken_at_the_site[0], taken_at_the_site[1].rsplit("(", 1)[1]) == (250, "1 copy)")
            wait_until(lambda: queue_ids(one) == queue_ids(far) and len(queue_ids(one)) == 2, "it went home", one.log)

            for node in (one, two):
                node.kill()
            hop.sink.program = Program()
            told = json.loads(far.mtactl("site", "promote", "far", "--force", "--json"))
            assert told["done"]
            wait_until(lambda: len(hop.taken) == 2 and not queue_ids(far), "the site delivers", far.log)
            assert far.has_role("active")

            hop.sink.program = Program(rcpt={"": 450})
            assert send(far)[0] == 250
            for node in (one, two):
                node.start()
            wait_until(lambda: queue_ids(one) == queue_ids(far) == queue_ids(two), "the results went home", one.log)
            assert {node.status()["role"] for node in (one, two)} <= {"passive", "rejoining"}
            wait_until(
                lambda: one.mtactl("replica", "promote", expect=None).startswith("Promote"), "taken back", one.log
            )
            wait_until(lambda: far.has_role("following") and one.has_role("active"), "the site follows again", far.log)
            hop.sink.program = Program()
            wait_until(lambda: len(hop.taken) == 3 and not queue_ids(one), "the pair delivers the rest", one.log)
            wait_until(lambda: not queue_ids(far), "the site learns of it", far.log)
            assert len(hop.taken) == 3, "nothing twice"

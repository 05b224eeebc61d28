"""The processes of a node: what ends is started again, and what must not start does not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.sending import QUEUE_ALL, next_hop, queue_ids, send
from tests.peers.mtad import MtadNode, children_of, pair, policy_to, single
from tests.peers.process import is_alive, wait_until

TWO_WORKERS = {"node": {"workers": 2}}


def children(node: MtadNode) -> dict[str, int]:
    """Return the pids of a node's processes by what they do."""
    assert node.process is not None
    return children_of(node.process.pid)


def test_a_worker_that_dies_is_started_again_and_its_port_never_closes() -> None:
    with next_hop() as hop, single(policy_to(hop.port), TWO_WORKERS) as node:
        wait_until(lambda: len(children(node)) == 3, "all processes run", node.log)
        before = children(node)
        os.kill(before["worker0"], signal.SIGKILL)
        wait_until(
            lambda: children(node).get("worker0", before["worker0"]) != before["worker0"], "a new worker", node.log
        )
        assert [send(node)[0] for _ in range(6)] == [250] * 6
        assert len(hop.taken) == 6
        assert children(node)["spool"] == before["spool"]


def test_workers_survive_the_end_of_the_spool_process_and_the_queue_does_too() -> None:
    with single(QUEUE_ALL, TWO_WORKERS) as node:
        assert send(node)[0] == 250
        before = children(node)
        os.kill(before["spool"], signal.SIGKILL)
        code, text = send(node)
        assert code == 250 or (code == 451 and text.startswith("4.3.0"))
        kept = 1 + (code == 250)
        wait_until(lambda: send(node)[0] == 250, "the queue is back", node.log)
        wait_until(lambda: len(queue_ids(node)) >= kept + 1, "what was accepted is there", node.log)
        after = children(node)
        assert after["spool"] != before["spool"]
        assert (after["worker0"], after["worker1"]) == (before["worker0"], before["worker1"])


def test_no_process_outlives_its_supervisor() -> None:
    with single(QUEUE_ALL, TWO_WORKERS) as node:
        wait_until(lambda: len(children(node)) == 3, "all processes run", node.log)
        pids = list(children(node).values())
        assert all(is_alive(pid) for pid in pids)
        node.kill()
        wait_until(lambda: not any(is_alive(pid) for pid in pids), "all have ended", node.log)


def test_a_node_ends_cleanly_when_asked_and_keeps_its_queue() -> None:
    with single(QUEUE_ALL, TWO_WORKERS) as node:
        assert send(node)[0] == 250
        kept = queue_ids(node)
        assert node.stop() == 0
        node.start()
        assert queue_ids(node) == kept


def test_what_one_node_sends_from_the_queue_after_a_switchover_comes_once() -> None:
    with next_hop() as hop, pair(policy_to(hop.port, actions="queue;", retry=':intervals ["1"]')) as (one, two):
        answers = [send(one) for _ in range(20)]
        assert {code for code, _ in answers} == {250}
        told = one.mtactl("replica", "switchover")
        wait_until(lambda: two.has_role("active"), told, two.log)
        answers += [send(one) for _ in range(5)] + [send(two) for _ in range(5)]
        wait_until(lambda: len(hop.taken) >= 30 and not two.queue(), "all is delivered", two.log)
        assert len(hop.taken) == 30
        wait_until(lambda: not one.queue(), "the other node knows", one.log)


def run_mtad(config: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mtad.main", "run", "--config", str(config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_dkim_key_the_program_does_not_start() -> None:
    with single(QUEUE_ALL) as node:
        node.stop()
        key = node.folder.parent / "keys" / "dkim.pem"
        key.unlink()
        done = run_mtad(node.config)
        assert done.returncode == 1
        assert str(key) in done.stderr + done.stdout
        assert "mend" in done.stderr + done.stdout
        node.config.write_text(node.config.read_text().split("[[dkim.keys]]")[0])
        done = run_mtad(node.config)
        assert done.returncode == 1
        assert "dkim" in (done.stderr + done.stdout).lower()


def test_configuration_errors_come_all_at_once_with_file_line_and_key() -> None:
    with single(QUEUE_ALL) as node:
        node.stop()
        text = node.config.read_text().replace("workers = 0", 'workers = "many"\nworkerz = 2')
        node.config.write_text(text)
        done = run_mtad(node.config)
        assert done.returncode == 2
        lines = [line for line in done.stderr.splitlines() if str(node.config) in line]
        assert len(lines) == 2
        assert "workers" in lines[0]
        assert "workerz" in lines[1]


def test_a_policy_that_does_not_compile_keeps_the_program_from_starting() -> None:
    with single(QUEUE_ALL) as node:
        node.stop()
        (node.folder / "policy.sieve").write_text('require ["nonsense"];\nstage "rcpt" { accept')
        done = run_mtad(node.config)
        assert done.returncode == 1
        assert "nonsense" in done.stderr + done.stdout


@pytest.mark.parametrize("verb", ["hold", "delete"])
def test_the_operator_verbs_reach_both_nodes(verb: str) -> None:
    with pair(QUEUE_ALL) as (one, two):
        queue_id = send(one)[1].split("queued as ")[1].split()[0]
        one.mtactl("queue", verb, queue_id, *(["--yes"] if verb == "delete" else []))
        if verb == "hold":
            wait_until(lambda: [e["queue_name"] for e in two.queue()] == ["hold"], "the hold is there", two.log)
            two.mtactl("queue", "release", queue_id)
            wait_until(lambda: [e["queue_name"] for e in one.queue()] != ["hold"], "the release is there", one.log)
        else:
            wait_until(lambda: two.queue() == [], "it is gone there", two.log)
            assert one.queue() == []

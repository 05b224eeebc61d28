"""A running node answers Prometheus and health checks, and tells of a policy that is broken."""

from __future__ import annotations

import http.client
import re
import smtplib
import socket
import subprocess
import sys

import pytest

from tests.integration.sending import next_hop, send
from tests.peers.mtad import MtadNode, policy_to, single
from tests.peers.process import wait_until

LISTENING = re.compile(r"event=server.listening address=(\S+):(\d+) purpose=monitoring")
SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{.*\})?) (\S+)$")
WATCHED = {"monitoring": {"listen": ["127.0.0.1:0"]}}


def asked(node: MtadNode, path: str) -> tuple[int, str]:
    """Return what the node answers to GET."""
    found = LISTENING.findall(node.log.read_text())
    client = http.client.HTTPConnection(found[-1][0], int(found[-1][1]), timeout=60)
    client.request("GET", path)
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return answer.status, text


def scraped(node: MtadNode) -> dict[str, float]:
    """Return all series."""
    status, text = asked(node, "/metrics")
    assert status == 200
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found = [SAMPLE.match(line) for line in lines]
    assert all(found), text
    return {each[1]: float(each[2]) for each in found if each is not None}


@pytest.mark.parametrize("workers", [0, 2])
def test_what_happens_is_scraped_and_so_is_a_policy_that_is_broken(workers: int) -> None:
    with next_hop() as hop, single(policy_to(hop.port), {**WATCHED, "node": {"workers": workers}}) as node:
        assert scraped(node)['mtad_messages_total{result="accepted"}'] == 0
        assert send(node)[0] == 250
        wait_until(
            lambda: scraped(node)['mtad_messages_total{result="accepted"}'] == 1, "the message is counted", node.log
        )
        wait_until(lambda: scraped(node)["mtad_workers"] == max(1, workers), "all workers are there", node.log)
        wait_until(lambda: scraped(node)['mtad_role{role="alone"}'] == 1, "it delivers", node.log)
        found = scraped(node)
        assert found['mtad_delivery_outcomes_total{result="delivered"}'] == 1
        assert found['mtad_role{role="passive"}'] == 0
        assert (found["mtad_queue_messages"], found["mtad_policy_broken"]) == (0, 0)
        assert asked(node, "/healthz") == asked(node, "/readyz") == (200, "ok\n")

        policy = node.folder / "policy.sieve"
        whole = policy.read_text()
        policy.write_text(whole + 'stage "rcpt" { dance; }')
        node.mtactl("reload", expect=1)
        broken = scraped(node)
        assert (broken["mtad_policy_broken"], broken["mtad_problems"]) == (1, 1)
        assert broken["mtad_policy_broken_timestamp_seconds"] > found["mtad_policy_loaded_timestamp_seconds"]
        assert broken["mtad_policy_loaded_timestamp_seconds"] == found["mtad_policy_loaded_timestamp_seconds"]
        assert asked(node, "/healthz")[0] == 200

        policy.write_text(whole)
        node.mtactl("reload")
        mended = scraped(node)
        assert (mended["mtad_policy_broken"], mended["mtad_policy_broken_timestamp_seconds"]) == (0, 0)
        assert mended["mtad_policy_loaded_timestamp_seconds"] > broken["mtad_policy_loaded_timestamp_seconds"]


MEASURING = """\
require ["vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.log", "environment", "variables"];
stage "ehlo" { metric :labels ["helo", "${env.helo}"] "greetings_total"; }
stage "connect" { metric :set 3 "level"; }
"""
STRANGERS = 150
KEPT = 100  # of the series of a metric


@pytest.mark.parametrize("workers", [0, 2])
def test_what_a_policy_measures_is_scraped_and_strangers_cannot_fill_it(workers: int) -> None:
    with single(MEASURING, {**WATCHED, "node": {"workers": workers}}) as node:
        with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60) as client:
            for _ in range(2):
                client.ehlo('quoted"name')
        wait_until(
            lambda: scraped(node).get(r'greetings_total{helo="quoted\"name"}') == 2, "both are counted", node.log
        )
        assert scraped(node)["level"] == 3
        for first in range(0, STRANGERS, 10):
            with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60) as client:
                for number in range(first, first + 10):
                    client.ehlo(f"h{number}.test")

        def greetings() -> dict[str, float]:
            return {name: value for name, value in scraped(node).items() if name.startswith("greetings_total")}

        wait_until(lambda: sum(greetings().values()) == 2 + STRANGERS, "all are counted", node.log)
        assert len(greetings()) == KEPT + 1
        assert greetings()['greetings_total{helo="other"}'] == 1 + STRANGERS - KEPT
        assert "event=metrics.other metric=greetings_total" in node.log.read_text()


def test_a_node_does_not_start_where_another_program_has_the_port() -> None:
    with single(policy_to(1), WATCHED) as node, socket.create_server(("127.0.0.1", 0)) as taken:
        assert node.stop() == 0
        port = taken.getsockname()[1]
        node.config.write_text(node.config.read_text().replace('"127.0.0.1:0"', f'"127.0.0.1:{port}"'))
        started = subprocess.run(
            [sys.executable, "-m", "mtad.main", "run", "--config", str(node.config)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert started.returncode == 1
        assert f"cannot listen on 127.0.0.1 port {port}: Address already in use; another program" in started.stderr

"""A policy is loaded anew in every process, without dropping a session; one that is broken is not."""

from __future__ import annotations

import signal
import smtplib

import pytest

from tests.peers.mtad import MtadNode, single
from tests.peers.process import wait_until

POLICY = """\
require ["vnd.mtad.stage", "vnd.mtad.verdict"];
stage "ehlo" { tempfail "policy %s"; }
"""
ANSWERS = 12  # by then each of two workers has answered, but once in two thousand runs


def said(client: smtplib.SMTP) -> str:
    """Return what the policy says now."""
    return client.ehlo()[1].decode()


def answers(node: MtadNode) -> set[str]:
    """Return what new sessions hear."""
    found = set()
    for _ in range(ANSWERS):
        with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60) as client:
            found.add(said(client))
    return found


@pytest.mark.parametrize("workers", [0, 2])
def test_sessions_keep_the_policy_that_they_began_with(workers: int) -> None:
    with single(POLICY % "one", {"node": {"workers": workers}}) as node:
        policy, supervisor = node.folder / "policy.sieve", node.process
        assert supervisor is not None
        assert answers(node) == {"4.7.1 policy one"}
        with smtplib.SMTP("127.0.0.1", node.smtp_port, timeout=60) as held:
            policy.write_text(POLICY % "two")
            assert node.mtactl("reload") == "The policy is loaded.\n"
            wait_until(lambda: answers(node) == {"4.7.1 policy two"}, "all have taken it", node.log)

            policy.write_text(POLICY % "three")
            supervisor.send_signal(signal.SIGHUP)
            wait_until(lambda: answers(node) == {"4.7.1 policy three"}, "all have taken it", node.log)

            policy.write_text((POLICY % "four").replace("tempfail", "tempfial"))
            error = f"{policy}:2:16: unknown command tempfial"
            assert error in node.mtactl("reload", expect=1)
            assert f"Not healthy: the policy is broken, and an older one in effect: {error}" in node.mtactl(
                "status", expect=1
            )
            assert error in node.log.read_text()
            assert answers(node) == {"4.7.1 policy three"}
            assert said(held) == "4.7.1 policy one"

        policy.write_text(POLICY % "five")
        node.mtactl("reload")
        node.mtactl("status")
        wait_until(lambda: answers(node) == {"4.7.1 policy five"}, "all have taken it", node.log)


MAPS = """\
require ["variables", "vnd.mtad.stage", "vnd.mtad.verdict", "vnd.mtad.lookup"];
stage "ehlo" { if lookup :into "said" "map:NAME" "word" { tempfail "${said}"; } }
"""


def test_the_maps_of_the_policy_are_taken_anew_with_it() -> None:
    with single(POLICY % "none", {"node": {"workers": 2}}) as node:
        policy, words, config = node.folder / "policy.sieve", node.folder / "words", node.config.read_text()
        words.write_text("word one\n")
        policy.write_text(MAPS.replace("NAME", "words"))
        node.config.write_text(f'{config}\n[policy.maps]\nwords = "file:words"\n')
        node.mtactl("reload")
        wait_until(lambda: answers(node) == {"4.7.1 one"}, "all have the map", node.log)

        (node.folder / "other").write_text("word two\n")
        node.config.write_text(f'{config}\n[policy.maps]\nwords = "file:other"\nmore = "file:none"\n')
        error = f"{node.folder}/none:1:1: map more: cannot be read: No such file or directory"
        assert error in node.mtactl("reload", expect=1)
        assert error in node.mtactl("status", expect=1)
        assert answers(node) == {"4.7.1 one"}

        (node.folder / "none").write_text("")
        node.mtactl("reload")
        wait_until(lambda: answers(node) == {"4.7.1 two"}, "all have the other map", node.log)
        node.mtactl("status")

"""What a member tells of the witness: why it did not answer, as long as that says something of now."""

from __future__ import annotations

import asyncio
from pathlib import Path

from replicator.core.grants import Ask
from replicator.transport.voting import PROBLEM_SECONDS, Voting, VotingSettings
from tests.fakes.certificate_authority import CertificateAuthority
from tests.fakes.collected_report import CollectedReport

NOBODY_LISTENS = "127.0.0.1:1"
WAIT_SECONDS = 60.0


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_a_witness_that_was_never_asked_is_no_problem_and_one_that_failed_is_until_that_is_long_ago(
    tmp_path: Path,
) -> None:
    clock = Clock()
    settings = VotingSettings("test", "w.test", NOBODY_LISTENS, CertificateAuthority(tmp_path).issue("a.test"))
    voting = Voting(settings, lambda _reply: None, CollectedReport(), clock)
    await voting.start()
    try:
        assert voting.problem == ""
        voting.send(Ask(node=1, incarnation=1, generation=1, ticket=1, epoch=0))
        async with asyncio.timeout(WAIT_SECONDS):
            while not voting.problem:
                await asyncio.sleep(0.01)
        clock.now += PROBLEM_SECONDS - 1
        assert "onnect" in voting.problem
        clock.now += 1
        assert voting.problem == ""
    finally:
        await voting.stop()

"""What the runner tells senders: with the state that it tells of, in one commit, once."""

from dataclasses import replace
from pathlib import Path

from mtad.mail.dsn_request import Notify, RecipientRequest
from mtad.mail.outcome import Success
from mtad.spool.door import Changes, QueuedMessage, Rank
from tests.fakes.queue import message
from tests.fakes.waiting import until
from tests.unit.mtad.runner.scene import DELAYED, DELIVERED, FAILED, Scene, running

HOUR_MS = 3_600_000
RELAYED = replace(DELIVERED, success=Success.RELAYED)


def asked(notify: Notify) -> QueuedMessage:
    """Return a submitter's message that asks to be told so."""
    return replace(message("b@y.test"), is_submission=True, requests={"b@y.test": RecipientRequest(notify)})


async def reports(scene: Scene, kept: QueuedMessage) -> tuple[list[Changes], list[bytes]]:
    """Queue a message and wait until its attempt is recorded; return what was committed, and the DSNs on it."""
    scene.hops.hanging.add("a@x.test")  # where DSNs go
    commits: list[Changes] = []
    scene.spool.on_commit = commits.append
    await scene.keep(kept)
    await until(lambda: bool(commits))
    return commits, [put.content for put in commits[0].puts]


async def test_a_delay_is_told_with_the_attempt_that_found_it_and_not_again(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.policy.plan = replace(scene.policy.plan, warn_seconds=1800)
        scene.hops.outcomes["b@y.test"] = DELAYED
        kept = replace(message("b@y.test"), is_submission=True, arrival_ms=scene.wall() - HOUR_MS // 2)
        commits, (dsn,) = await reports(scene, kept)
        assert b"\r\nAction: delayed\r\n" in dsn
        assert b"\r\nWill-Retry-Until: " in dsn
        assert commits[0].states[kept.queue_id]["b@y.test"].delay_told_ms == scene.wall()
        await until(lambda: scene.state(kept.queue_id).delay_told_ms == scene.wall())
        for count in (2, 3):
            scene.wall.forward(121)
            await until(lambda count=count: scene.state(kept.queue_id).attempts_count == count)  # type: ignore[misc]
        assert [len(changes.puts) for changes in commits] == [1, 0, 0]


async def test_a_success_that_is_ours_to_tell_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = RELAYED
        kept = asked(Notify.SUCCESS)
        commits, (dsn,) = await reports(scene, kept)
        assert b"\r\nAction: relayed\r\n" in dsn
        assert commits[0].states[kept.queue_id]["b@y.test"].rank is Rank.DELIVERED
        assert scene.hops.requests[kept.queue_id] == {"b@y.test": RecipientRequest(Notify.SUCCESS)}


async def test_who_asked_never_to_be_told_is_not(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes["b@y.test"] = FAILED
        _, dsns = await reports(scene, asked(Notify.NEVER))
        assert dsns == []
        await until(lambda: scene.queue() == [])
        assert [(told["action"], told["why"]) for told in scene.events.named("dsn.withheld")] == [
            ("failed", "not asked for")
        ]


async def test_a_strangers_mail_that_fails_in_our_queue_is_reported_and_its_success_is_not(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes = {"b@y.test": RELAYED, "c@y.test": FAILED}
        everything = RecipientRequest(Notify.SUCCESS | Notify.FAILURE)
        kept = replace(message("b@y.test", "c@y.test"), requests={"b@y.test": everything, "c@y.test": everything})
        _, (dsn,) = await reports(scene, kept)
        assert b"c@y.test" in dsn
        assert b"b@y.test" not in dsn


async def test_a_report_on_a_success_that_cannot_be_made_leaves_it_delivered(tmp_path: Path) -> None:
    def unable(content: bytes, domain: str) -> bytes:
        raise RuntimeError("no key")

    async with running(tmp_path, sign=unable) as scene:
        scene.hops.outcomes["b@y.test"] = RELAYED
        await scene.keep(asked(Notify.SUCCESS))
        await until(lambda: scene.queue() == [])
        assert len(scene.events.named("dsn.fault")) == 1
        assert len(scene.hops.asked) == 1


async def test_what_policy_gives_up_silently_is_told_to_nobody_but_the_log(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.policy.has_queue_stage = True
        scene.policy.may_judge.set()
        scene.policy.after["b@y.test"] = replace(scene.policy.plan, is_silent=True)
        scene.hops.outcomes["b@y.test"] = FAILED
        _, dsns = await reports(scene, asked(Notify.FAILURE))
        assert dsns == []
        assert [told["why"] for told in scene.events.named("dsn.withheld")] == ["silenced by policy"]


async def test_a_path_that_names_each_recipient_is_told_of_each(tmp_path: Path) -> None:
    async with running(tmp_path) as scene:
        scene.hops.outcomes |= {"b@y.test": FAILED, "c@y.test": FAILED}
        paths = ["a+b=y.test@x.test", "a+c=y.test@x.test"]
        scene.hops.hanging.update(paths)
        commits, dsns = await reports(scene, replace(message("b@y.test", "c@y.test"), is_verp=True))
        assert [address for put in commits[0].puts for address in put.recipients] == paths
        assert [dsn.count(b"Final-Recipient: ") for dsn in dsns] == [1, 1]
        await until(lambda: [told["recipient"] for told in scene.events.named("dsn.queued")] == paths)
        assert scene.hops.mails[0].is_verp

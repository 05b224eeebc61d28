from __future__ import annotations

import asyncio
import threading
from pathlib import Path

from mtad.admission.in_effect import ERRORS_TOLD_MAX, PolicyInEffect, PolicyState
from mtad.admission.policy import Policy, PolicyErrors, PolicySettings
from mtad.mail.envelope import Client, Envelope
from mtad.mail.verdict import Disposition
from mtad.sieve.errors import SieveError
from mtad.telemetry.events import CollectedEvents
from tests.fakes.queue import WallClock

ONE = 'require ["vnd.mtad.stage", "vnd.mtad.route"];\nstage "deliver" { route :host "one.example" "smtp"; }\n'
CLIENT = Client("192.0.2.9", 4711)


def in_effect(file: Path, events: CollectedEvents, wall: WallClock) -> PolicyInEffect:
    def load() -> Policy | PolicyErrors:
        return Policy.load(file, PolicySettings(), events)

    file.write_text(ONE)
    policy = load()
    assert isinstance(policy, Policy), str(policy)
    return PolicyInEffect(policy, load, events, wall)


async def host(policy: PolicyInEffect | Policy) -> tuple[str, ...]:
    found: Disposition = await policy.deliver(Envelope("a@x.test", CLIENT), "b@y.test")
    return found.route.hosts


async def test_a_policy_loaded_anew_is_for_who_begins_now(tmp_path: Path) -> None:
    file, events, wall = tmp_path / "p.sieve", CollectedEvents(), WallClock()
    policy = in_effect(file, events, wall)
    held = policy.current
    file.write_text(ONE.replace("one.", "two."))
    assert await host(policy) == ("one.example",)
    wall.forward(60)
    assert await policy.reload() == policy.state == PolicyState(wall())
    assert (await host(policy), await host(held)) == (("two.example",), ("one.example",))
    assert events.named("policy.loaded") == [{}]


async def test_a_broken_policy_keeps_the_old_one_and_is_known_until_it_is_mended(tmp_path: Path) -> None:
    file, events, wall = tmp_path / "p.sieve", CollectedEvents(), WallClock()
    policy = in_effect(file, events, wall)
    loaded_ms = wall()
    file.write_text(ONE.replace("route :host", "dance :host") + 'stage "rcpt" {')
    wall.forward(60)
    state = await policy.reload()
    assert state.loaded_ms == loaded_ms
    assert (state.errors[0].line, state.errors[0].column) == (2, 19)
    assert state.broken_ms == loaded_ms + 60_000
    assert await host(policy) == ("one.example",)
    assert [fields["error"] for fields in events.named("policy.broken")] == [str(error) for error in state.errors]
    assert events.named("policy.loaded") == []
    wall.forward(60)
    assert await policy.reload() == state
    file.write_text(ONE)
    assert await policy.reload() == PolicyState(wall())


async def test_a_file_that_is_gone_is_a_broken_policy_and_the_log_is_not_filled(tmp_path: Path) -> None:
    folder, events, wall = tmp_path / "policy", CollectedEvents(), WallClock()
    folder.mkdir()
    policy = in_effect(folder / "0.sieve", events, wall)
    (folder / "0.sieve").unlink()
    assert (await policy.reload()).errors

    policies = tmp_path / "many"
    policies.mkdir()
    many = PolicyInEffect(
        policy.current,
        lambda: Policy.load(policies, PolicySettings(), events),
        many_events := CollectedEvents(),
        wall,
    )
    for number in range(ERRORS_TOLD_MAX + 5):
        (policies / f"{number}.sieve").write_text("dance;")
    assert len((await many.reload()).errors) == ERRORS_TOLD_MAX + 5
    assert len(many_events.named("policy.broken")) == ERRORS_TOLD_MAX


async def test_a_fault_of_ours_while_it_is_loaded_keeps_the_old_one(tmp_path: Path) -> None:
    policy = in_effect(tmp_path / "p.sieve", CollectedEvents(), WallClock())

    def fail() -> Policy:
        raise RecursionError("too deep")

    events = CollectedEvents()
    faulty = PolicyInEffect(policy.current, fail, events, WallClock())
    (error,) = (await faulty.reload()).errors
    assert error.text == "cannot be loaded: RecursionError: too deep"
    assert await host(faulty) == ("one.example",)
    assert events.named("policy.broken") == [{"error": str(error)}]


async def test_a_load_that_takes_long_holds_nobody_up_and_the_last_one_counts(tmp_path: Path) -> None:
    policy = in_effect(tmp_path / "p.sieve", CollectedEvents(), WallClock())
    has_begun, may_end = threading.Event(), threading.Event()
    broken = PolicyErrors((SieveError("p.sieve", 1, 1, "broken"),))
    loads = [policy.current, broken]

    def load_slowly() -> Policy | PolicyErrors:
        found = loads.pop()
        has_begun.set()
        may_end.wait(10)
        return found

    slow = PolicyInEffect(policy.current, load_slowly, CollectedEvents(), WallClock())
    in_force: list[PolicyState] = []
    slow.on_load(lambda: in_force.append(slow.state))
    slow.begin_reload()
    last = asyncio.create_task(slow.reload())
    await asyncio.to_thread(has_begun.wait, 10)  # the loop goes on
    assert await host(slow) == ("one.example",)
    assert loads == [policy.current], "one at a time"
    may_end.set()
    state = await last
    assert (state.errors, in_force) == ((), [state])


async def test_whether_there_is_a_queue_stage_is_told_of_this_moment(tmp_path: Path) -> None:
    file = tmp_path / "p.sieve"
    policy = in_effect(file, CollectedEvents(), WallClock())
    assert not policy.has_queue_stage
    file.write_text('require ["vnd.mtad.stage", "vnd.mtad.queue"];\nstage "queue" { defer; }\n')
    await policy.reload()
    assert policy.has_queue_stage

"""What mtactl asks of a node, over a real queue and a real Unix socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import grpc.aio
import pytest

from mtad.admin.service import AdminService, Vitals
from mtad.admission.in_effect import PolicyState
from mtad.mail.deliver_by import DeliverBy, Late
from mtad.mail.dsn_request import MessageRequest, Notify, RecipientRequest, Return
from mtad.mail.outcome import Outcome, Result
from mtad.mail.reply import Reply
from mtad.mail.route import Route
from mtad.pb import admin_pb2 as pb
from mtad.pb import admin_pb2_grpc
from mtad.sieve.errors import SieveError
from mtad.spool.door import Attempt, Changes, Claim, QueuedMessage, Rank, RecipientState
from mtad.spool.local import FarStatus, LocalSpool, NodeStatus, SpoolLimits
from mtad.spool.remote import WorkerCounts
from mtad.telemetry.events import CollectedEvents
from tests.fakes.queue import START_MS, WallClock, message, new_queue_id, spooling

ATTEMPT = Attempt(START_MS, Outcome(Result.DELAYED, Reply.of(450, "4.2.1", "later"), "mx.test"), 1)
DOUBT = Attempt(START_MS, Outcome(Result.UNKNOWN, Reply.of(450, "4.4.2", "lost"), "mx.test"), 1)


class Roles(LocalSpool):
    """A queue whose node has the role and the peer that a test gives it."""

    role = ""
    peer_name = ""
    sites: tuple[FarStatus, ...] = ()
    follows: tuple[FarStatus, ...] = ()

    def status(self) -> NodeStatus:
        status = super().status()
        peer = replace(status.peer, name=self.peer_name, state="up", role="passive")
        return replace(status, role=self.role or status.role, peer=peer, sites=self.sites, follows=self.follows)


@dataclass
class FakeLoading:
    """A policy that is `state` until it is loaded anew, and then `next`."""

    state: PolicyState = field(default_factory=lambda: PolicyState(1_000))
    next: PolicyState = field(default_factory=lambda: PolicyState(2_500))

    async def reload(self) -> PolicyState:
        self.state = self.next
        return self.state


@dataclass
class Scene:
    admin: admin_pb2_grpc.AdminStub
    spool: Roles
    wall: WallClock
    events: CollectedEvents
    policy: FakeLoading

    async def keep(self, *messages: QueuedMessage) -> None:
        await self.spool.commit(Changes(puts=messages), is_accepting=True)

    async def list(self, **asked: object) -> list[pb.QueueEntry]:
        more = {name: asked.pop(name) for name in ("limit", "sort") if name in asked}
        request = pb.QueueListRequest(selection=pb.Selection(**asked), **more)
        return [entry async for entry in self.admin.QueueList(request)]

    async def ids(self, **asked: object) -> list[str]:
        return [entry.queue_id for entry in await self.list(**asked)]


@asynccontextmanager
async def serving(folder: Path, limits: SpoolLimits | None = None) -> AsyncIterator[Scene]:
    wall, events, policy = WallClock(), CollectedEvents(), FakeLoading()
    async with spooling(folder, wall, events, limits) as (_, spool):
        spool.__class__ = Roles
        vitals = Vitals("1.2.3", lambda: WorkerCounts(5, 77, 4, 2), wall, lambda: policy.state, policy.reload)
        server = grpc.aio.server()
        AdminService(spool, vitals, events).register(server)
        with TemporaryDirectory() as run:
            server.add_insecure_port(f"unix:{run}/s")
            await server.start()
            async with grpc.aio.insecure_channel(f"unix:{run}/s") as channel:
                yield Scene(admin_pb2_grpc.AdminStub(channel), spool, wall, events, policy)
            await server.stop(0)


def in_state(state: RecipientState) -> QueuedMessage:
    return replace(message(), recipients={"b@y.test": state})


async def test_status_says_that_the_queue_is_full(tmp_path: Path) -> None:
    for name, free_permille_min in (("room", 0), ("full", 1001)):
        async with serving(tmp_path / name, SpoolLimits(free_permille_min)) as scene:
            reply = await scene.admin.Status(pb.StatusRequest())
            assert reply.is_full == (name == "full")


async def test_status_names_the_nodes_across_a_wan(tmp_path: Path) -> None:
    far = FarStatus("far", "down", "following", True, 12, 3_400, 1.5, "no route")
    told = pb.Far(
        node="far",
        role="following",
        state="down",
        is_fed=True,
        lag_records=12,
        lag_octets=3_400,
        lag_seconds=1.5,
        problem="no route",
    )
    async with serving(tmp_path) as scene:
        scene.spool.sites = (far,)
        status = await scene.admin.Status(pb.StatusRequest())
        assert ([*status.sites], [*status.members], status.role) == ([told], [], "active")
        scene.spool.sites, scene.spool.follows = (), (far,)
        scene.spool.role = "following"
        status = await scene.admin.Status(pb.StatusRequest())
        assert ([*status.sites], [*status.members], status.role) == ([], [told], "following")


async def test_a_policy_is_loaded_anew_and_what_is_wrong_with_it_is_told(tmp_path: Path) -> None:
    wrong = pb.PolicyError(file="p.sieve", line=3, column=4, text="unknown command dance")
    async with serving(tmp_path) as scene:
        assert (await scene.admin.Status(pb.StatusRequest())).policy == pb.Policy(loaded=1)
        assert await scene.admin.Reload(pb.ReloadRequest()) == pb.Policy(loaded=2.5)
        scene.policy.next = PolicyState(2_500, (SieveError("p.sieve", 3, 4, "unknown command dance"),))
        assert await scene.admin.Reload(pb.ReloadRequest()) == pb.Policy(loaded=2.5, errors=[wrong])
        assert (await scene.admin.Status(pb.StatusRequest())).policy == pb.Policy(loaded=2.5, errors=[wrong])


async def test_status_says_how_the_node_is(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        await scene.keep(message("b@y.test", "c@y.test"))
        scene.wall.forward(90)
        status = await scene.admin.Status(pb.StatusRequest())
        assert (status.node, status.role, status.version) == ("one", "alone", "1.2.3")
        assert (status.sessions, status.delivered_through) == (5, 77)
        assert (status.retries_answered, status.retries_in_doubt) == (4, 2)
        assert (status.queue.messages, status.queue.recipients) == (1, 2)
        assert status.queue.oldest_seconds == 90
        assert status.position == 1
        assert not status.HasField("peer")


@pytest.mark.parametrize(
    ("role", "peer", "shown"),
    [
        ("active", "two", "active"),
        ("active", "", "alone"),
        ("draining", "two", "active"),
        ("passive", "two", "passive"),
        ("rejoining", "two", "rejoining"),
        ("stopped", "two", "stopped"),
    ],
)
async def test_roles_have_the_names_that_users_know(tmp_path: Path, role: str, peer: str, shown: str) -> None:
    async with serving(tmp_path) as scene:
        scene.spool.role, scene.spool.peer_name = role, peer
        status = await scene.admin.Status(pb.StatusRequest())
        assert status.role == shown
        assert status.peer.node == peer


async def test_the_list_is_filtered_sorted_and_cut(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        small = message("b@y.test", reverse_path="z@x.test", due_ms=START_MS + 2000)
        large = replace(
            message("B@Z.test", reverse_path="", due_ms=START_MS + 1000), content=b"x" * 999, queue_name="slow"
        )
        tried = in_state(RecipientState(Rank.DEFERRED, START_MS + 3000, (ATTEMPT,), 1))
        doubt = in_state(RecipientState(Rank.DEFERRED, START_MS + 4000, (DOUBT,), 1))
        await scene.keep(small, large, tried, doubt)
        everything = [one.queue_id for one in (small, large, tried, doubt)]
        assert await scene.ids() == everything
        assert await scene.ids(limit=2) == everything[:2]
        assert await scene.ids(sort="size", limit=1) == [large.queue_id]
        assert await scene.ids(sort="next-attempt") == [everything[index] for index in (1, 0, 2, 3)]
        assert (await scene.ids(sort="sender"))[-1] == small.queue_id
        assert await scene.ids(domain="z.test") == [large.queue_id]
        assert await scene.ids(recipient="b@z.test") == [large.queue_id]
        assert await scene.ids(sender="<>") == [large.queue_id]
        assert await scene.ids(state="deferred") == [tried.queue_id]
        assert await scene.ids(state="unknown") == [doubt.queue_id]
        assert await scene.ids(queue="slow") == [large.queue_id]
        assert await scene.ids(queue="slo") == []
        assert await scene.ids(queue_ids=[doubt.queue_id, small.queue_id, "nonsense", new_queue_id()]) == [
            small.queue_id,
            doubt.queue_id,
        ]
        assert await scene.ids(queue_ids=[doubt.queue_id], state="deferred") == []
        scene.wall.forward(10)
        assert await scene.ids(older_than_seconds=11) == []
        assert await scene.ids(older_than_seconds=10) == everything


@pytest.mark.parametrize(
    "asked",
    [{"sort": "frob"}, {"state": "frob"}, {"older_than_seconds": -1}, {"older_than_seconds": float("nan")}],
)
async def test_what_is_not_understood_selects_nothing(tmp_path: Path, asked: dict[str, object]) -> None:
    async with serving(tmp_path) as scene:
        await scene.keep(message())
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await scene.list(**asked)
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        if "sort" not in asked:
            reply = await scene.admin.QueueAct(pb.QueueActRequest(verb="delete", selection=pb.Selection(**asked)))
            assert reply.refused
        assert len(await scene.ids()) == 1


async def test_a_message_is_shown_with_its_attempts_and_as_much_of_it_as_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        route = Route(hosts=("a.test", "b.test"), port=26, sources=("192.0.2.7",), helo="mx.test")
        state = RecipientState(Rank.DEFERRED, START_MS + 3000, (ATTEMPT,), 1, delay_told_ms=START_MS, route=route)
        asked = RecipientRequest(Notify.FAILURE | Notify.DELAY, "rfc822;bob@y.test")
        of_message = MessageRequest(Return.FULL, "QQ=1", DeliverBy(START_MS + 60_000, Late.RETURN))
        kept = replace(in_state(state), priority=7, request=of_message, requests={"b@y.test": asked})
        bodiless = replace(message(), content=b"Subject: alone\r\n")
        await scene.keep(kept, bodiless)
        plain = await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=kept.queue_id))
        assert plain.found
        assert plain.octets == b""
        assert plain.client == "client.test [192.0.2.1]:25"
        (history,) = plain.history
        assert (history.address, history.state) == ("b@y.test", "deferred")
        assert history.attempts[0].reply == "450 4.2.1 later"
        assert (plain.ret, plain.envid) == ("FULL", "QQ=1")
        assert (history.notify, history.original) == ("FAILURE,DELAY", "rfc822;bob@y.test")
        assert history.delay_told == START_MS / 1000
        assert (history.deliver_by, history.late) == (START_MS / 1000 + 60, "R")
        assert history.route == "smtp to a.test or b.test, port 26, tls may, from 192.0.2.7, as mx.test"
        assert plain.entry.priority == 7
        ways = await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=bodiless.queue_id))
        assert (ways.history[0].route, ways.entry.priority) == ("", 0)
        assert (ways.history[0].deliver_by, ways.history[0].late) == (0, "")
        headers = await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=kept.queue_id, headers=True))
        assert headers.octets == b"Received: x\r\nSubject: hello\r\n"
        content = await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=kept.queue_id, content=True))
        assert content.octets == kept.content
        headers = await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=bodiless.queue_id, headers=True))
        assert headers.octets == bodiless.content


async def test_what_is_being_tried_is_active_and_in_doubt_when_its_claim_has_ended(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        claim = Claim(2, START_MS + 1000, START_MS + 61_000)
        kept = in_state(RecipientState(Rank.DEFERRED, claim.until_ms, (ATTEMPT,), 1, claim))
        await scene.keep(kept)
        for state, reason in (("active", "node 2 tries"), ("unknown", "in doubt: node 2 tried, and has not told")):
            (entry,) = await scene.list(state=state)
            assert reason in entry.recipients[0].delay_reason
            assert (entry.attempts, entry.next_attempt) == (1, claim.until_ms / 1000)
            shown = await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=kept.queue_id))
            assert [line.result for line in shown.history[0].attempts] == ["delayed", state]
            assert (shown.history[0].attempts[-1].node, shown.history[0].attempts[-1].reply) == (2, "")
            scene.wall.forward(61)


@pytest.mark.parametrize("queue_id", ["", "nonsense", "../../etc", "ü" * 16, "x" * 10_000])
async def test_an_id_that_is_none_is_not_found(tmp_path: Path, queue_id: str) -> None:
    async with serving(tmp_path) as scene:
        assert not (await scene.admin.QueueShow(pb.QueueShowRequest(queue_id=queue_id))).found
        reply = await scene.admin.QueueAct(
            pb.QueueActRequest(verb="delete", selection=pb.Selection(queue_ids=[queue_id]))
        )
        assert list(reply.queue_ids) == []


async def test_a_verb_does_what_its_trial_said(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        chosen, other = message("b@y.test"), message("b@z.test")
        await scene.keep(chosen, other)
        selection = pb.Selection(domain="y.test")
        trial = await scene.admin.QueueAct(pb.QueueActRequest(verb="delete", selection=selection, dry_run=True))
        assert (list(trial.queue_ids), len(await scene.ids())) == ([chosen.queue_id], 2)
        done = await scene.admin.QueueAct(pb.QueueActRequest(verb="delete", selection=selection))
        assert (list(done.queue_ids), await scene.ids()) == ([chosen.queue_id], [other.queue_id])
        held = await scene.admin.QueueAct(pb.QueueActRequest(verb="hold", selection=pb.Selection(all=True)))
        assert list(held.queue_ids) == [other.queue_id]
        (entry,) = await scene.list(state="held")
        assert (entry.queue_name, entry.next_attempt) == ("hold", 0)


async def test_nothing_selected_or_no_such_verb_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        await scene.keep(message())
        for verb, selection in (("delete", pb.Selection()), ("frob", pb.Selection(all=True))):
            assert (await scene.admin.QueueAct(pb.QueueActRequest(verb=verb, selection=selection))).refused
        reply = await scene.admin.Replica(pb.ReplicaRequest(verb="frob"))
        assert not reply.done
        reply = await scene.admin.Replica(pb.ReplicaRequest(verb="switchover"))
        assert (reply.done, reply.text) == (False, "there is no link to the peer")
        assert len(await scene.ids()) == 1


async def test_a_fault_is_logged_and_its_text_is_not_sent(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:

        def broken(*_: object) -> None:
            raise RuntimeError("secret")

        scene.spool.status = scene.spool.pages = broken  # type: ignore[method-assign, assignment]
        for call in (scene.admin.Status(pb.StatusRequest()), scene.list()):
            with pytest.raises(grpc.aio.AioRpcError) as failed:
                await call
            assert failed.value.code() is grpc.StatusCode.INTERNAL
            assert "secret" not in (failed.value.details() or "")
        faults = scene.events.named("admin.fault")
        assert [fields["error"] for fields in faults] == ["RuntimeError: secret"] * 2
        assert str(faults[1]["trace"]) in (failed.value.details() or "")


async def test_the_queue_is_copied_where_the_operator_says(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        await scene.keep(message())
        folder = tmp_path / "copy"
        reply = await scene.admin.Backup(pb.BackupRequest(directory=str(folder)))
        assert (reply.refused, reply.octets) == ("", (folder / "data.mdb").stat().st_size)
        again = await scene.admin.Backup(pb.BackupRequest(directory=str(folder)))
        assert again.refused == f"{folder} is not empty"
        nowhere = await scene.admin.Backup(pb.BackupRequest(directory=f"{folder}/no/copy"))
        assert nowhere.refused == f"{folder}/no is no folder"
        file = await scene.admin.Backup(pb.BackupRequest(directory=f"{folder}/data.mdb"))
        assert file.refused == f"{folder}/data.mdb: File exists"
        relative = await scene.admin.Backup(pb.BackupRequest(directory="copy"))
        assert relative.refused == "'copy' is not an absolute path"


async def test_the_file_of_the_queue_becomes_small_again(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        await scene.keep(message())
        reply = await scene.admin.Compact(pb.CompactRequest())
        assert reply.refused == ""
        assert 0 < reply.octets <= reply.octets_before
        (event,) = scene.events.named("queue.compacted")
        assert (event["octets_before"], event["octets"]) == (reply.octets_before, reply.octets)
        await scene.keep(message())


async def test_without_a_peer_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        reply = await scene.admin.Verify(pb.VerifyRequest())
        assert reply.refused == "this node has no peer to compare with"
        refused = await scene.admin.Resync(pb.ResyncRequest(force=True))
        assert refused.refused == "this node has no peer to fetch from"
        refused = await scene.admin.Resync(pb.ResyncRequest(full=True, force=True))
        assert refused.refused == "this node has no peer that would fill it"


async def test_who_holds_a_message_is_told(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        delayed = in_state(RecipientState(Rank.DEFERRED, START_MS, (ATTEMPT,), 1))
        await scene.keep(replace(delayed, held="quarantine spam: score 9"))
        (entry,) = await scene.list(state="held")
        (recipient,) = entry.recipients
        assert (entry.queue_name, entry.next_attempt) == ("hold", 0)
        assert recipient.delay_reason == "held quarantine spam: score 9; mx.test: 450 4.2.1 later"


async def test_what_policy_has_queued_for_later_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path) as scene:
        await scene.keep(in_state(RecipientState(Rank.DEFERRED, START_MS + 60_000)))
        (entry,) = await scene.list(state="deferred")
        assert entry.recipients[0].delay_reason == "queued for later by policy"
        assert (entry.attempts, entry.next_attempt) == (0, (START_MS + 60_000) / 1000)

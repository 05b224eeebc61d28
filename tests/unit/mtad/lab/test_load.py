"""The load client against the sink: it never counts what was not answered 250, and never gives up early."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from mtad.lab.conversation import AfterDot, Program, Taken, lab_id_of
from mtad.lab.load import Accepted, Failed, LoadPlan, Target, content_of, run_load
from mtad.lab.sink import Sink


class Host:
    """A sink, its address, and what it took."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.reverse_paths: list[str] = []
        self.sink = Sink(self._keep)
        self.target: Target = ("127.0.0.1", 0)

    def _keep(self, taken: Taken) -> None:
        self.taken.append(taken.lab_id)
        self.reverse_paths.append(taken.reverse_path)


@pytest.fixture
async def hosts() -> AsyncIterator[tuple[Host, Host]]:
    pair = (Host(), Host())
    for host in pair:
        host.target = ("127.0.0.1", await host.sink.listen())
    yield pair
    for host in pair:
        await host.sink.close()


def plan(*hosts: Host, messages: int = 20, sessions: int = 4, attempts: int = 3, rate: float = 0.0) -> LoadPlan:
    return LoadPlan(
        targets=tuple(host.target for host in hosts),
        run="r",
        messages_count=messages,
        sessions_count=sessions,
        recipients=("a@y.test", "b@y.test"),
        reverse_path="load@x.test",
        attempts_max=attempts,
        pause_seconds=0.01,
        rate_max=rate,
    )


async def test_every_message_is_sent_once_over_all_targets(hosts: tuple[Host, Host]) -> None:
    told: list[Accepted] = []
    result = await run_load(plan(*hosts), told.append)
    assert sorted(hosts[0].taken + hosts[1].taken) == [f"r-{i:06}" for i in range(20)]
    assert all(host.taken for host in hosts)
    assert told == result.accepted
    assert {answer.recipient for answer in told} == {"a@y.test", "b@y.test"}
    assert all(answer.attempts_count == 1 and answer.reply.startswith("250 2.0.0 Ok") for answer in told)
    assert result.abandoned == []
    assert hosts[0].sink.counts.sessions + hosts[1].sink.counts.sessions == 4


async def test_a_target_that_refuses_connections_is_left_for_the_other(hosts: tuple[Host, Host]) -> None:
    await hosts[0].sink.close()
    result = await run_load(plan(*hosts))
    assert len(hosts[1].taken) == 20
    assert len(result.accepted) == 20


async def test_a_reply_that_never_comes_is_no_acceptance(hosts: tuple[Host, Host]) -> None:
    hosts[0].sink.program = Program(after_dot=AfterDot.CLOSE)
    result = await run_load(plan(*hosts, messages=4, sessions=2))
    assert {answer.target for answer in result.accepted} == {hosts[1].target}
    assert sorted(hosts[1].taken) == [f"r-{i:06}" for i in range(4)]
    assert result.lost_replies_count == len(hosts[0].taken) > 0


async def test_each_try_that_fails_is_told_and_in_doubt_after_the_dot_alone(hosts: tuple[Host, Host]) -> None:
    hosts[0].sink.program = Program(after_dot=AfterDot.CLOSE)
    hosts[1].sink.program = Program(rcpt={"b@y.test": 451})
    failed: list[Failed] = []
    await run_load(plan(*hosts, messages=2, sessions=1, attempts=3), failed=failed.append)
    assert [(each.lab_id, each.target, each.is_in_doubt) for each in failed] == [
        ("r-000000", hosts[0].target, True),
        *[("r-000001", hosts[1].target, False)] * 3,
    ]


async def test_patience_for_a_reply_has_an_end(hosts: tuple[Host, Host]) -> None:
    hosts[0].sink.program = Program(after_dot=AfterDot.HANG)
    one = replace(plan(*hosts, messages=1, sessions=1), reply_seconds_max=0.05)
    result = await run_load(one)
    assert [answer.target for answer in result.accepted] == [hosts[1].target]
    assert result.lost_replies_count == 1


async def test_the_reverse_path_can_carry_the_id(hosts: tuple[Host, Host]) -> None:
    one = replace(plan(*hosts, messages=1, sessions=1), reverse_path="you+{id}@x.test")
    await run_load(one)
    assert hosts[0].reverse_paths == ["you+r-000000@x.test"]


@pytest.mark.parametrize(
    ("program", "why"),
    [
        (Program(dot={"": 451}), "451 4.3.0"),
        (Program(rcpt={"": 550}), "550 5.1.1"),
        (Program(mail=450), "450 4.2.0"),
        (Program(greeting=421), "421 4.3.2"),
        (Program(rcpt={"": 421}), "421 4.3.2"),
    ],
)
async def test_what_is_refused_to_the_end_is_abandoned_with_the_reason(
    hosts: tuple[Host, Host], program: Program, why: str
) -> None:
    hosts[0].sink.program = program
    result = await run_load(plan(hosts[0], messages=2, sessions=1))
    assert [abandoned.lab_id for abandoned in result.abandoned] == ["r-000000", "r-000001"]
    assert why in result.abandoned[0].why
    assert result.accepted == []


async def test_what_is_refused_for_now_is_sent_again(hosts: tuple[Host, Host]) -> None:
    hosts[0].sink.program = Program(dot={"": 451})
    running = asyncio.create_task(run_load(plan(hosts[0], attempts=1000)))
    while not hosts[0].sink.counts.sessions:
        await asyncio.sleep(0)
    await asyncio.sleep(0.02)
    hosts[0].sink.program = Program()
    result = await running
    assert len(result.accepted) == 20
    assert max(answer.attempts_count for answer in result.accepted) > 1
    assert sorted(hosts[0].taken) == sorted(answer.lab_id for answer in result.accepted)


async def test_a_rate_spreads_the_messages(hosts: tuple[Host, Host]) -> None:
    result = await run_load(plan(*hosts, messages=11, rate=100.0))
    assert result.seconds >= 0.1


@pytest.mark.parametrize("said", [b"", b"220 x\r\n", b"220 x\r\n250", b"nonsense\r\n", b"220-x\r\n" * 100])
async def test_a_server_that_speaks_nonsense_is_left(said: bytes) -> None:
    async def on_stream(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(on_stream, "127.0.0.1", 0)
    host = Host()
    host.target = ("127.0.0.1", int(server.sockets[0].getsockname()[1]))
    result = await run_load(plan(host, messages=1, sessions=1))
    assert len(result.abandoned) == 1
    server.close()
    await server.wait_closed()


def test_the_reply_says_where_the_message_is() -> None:
    def answer(reply: str) -> Accepted:
        return Accepted("n", "a@y.test", ("127.0.0.1", 25), reply, 0, 0.1, 1)

    through = answer("250 2.0.0 Ok: delivered (sink.example.test: 250 2.0.0 Ok)")
    queued = answer("250 2.0.0 Ok: queued as 01JD4Z8Q6K (2 copies)")
    alone = answer("250 2.0.0 Ok: queued as 01JD4Z8Q6K (1 copy)")
    assert [each.is_through for each in (through, queued, alone)] == [True, False, False]
    assert [each.is_queued for each in (through, queued, alone)] == [False, True, True]
    assert [each.is_on_two_disks for each in (through, queued, alone)] == [False, True, False]


def test_the_content_has_its_id_and_about_its_size() -> None:
    content = content_of("r-000001", "a@x.test", "b@y.test", 4096)
    assert lab_id_of(content) == "r-000001"
    assert 4000 <= len(content) <= 4096
    assert not content.startswith(b".")
    assert b"\r\n." not in content

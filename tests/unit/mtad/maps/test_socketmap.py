"""The socketmap client against a program that answers rightly, wrongly, late, in pieces, and not at all."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mtad.config.forms import Address
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable
from mtad.maps.connections import ConnectionLimits
from mtad.maps.socketmap import Socketmap
from tests.fakes.map_servers import CLOSE, SILENCE, MapServer, netstring, serving_socketmap
from tests.fakes.waiting import until

LIMITS = ConnectionLimits(connections_max=2, idle_seconds_max=5.0)
IMPATIENT = ConnectionLimits(connections_max=2, answer_seconds_max=0.3, idle_seconds_max=5.0)


def answers(question: bytes) -> bytes:
    name, _, key = question.partition(b" ")
    known = {b"ann@l.example": b"OK /home/ann x", b"empty": b"OK ", b"\xc3\xa9\xff": b"OK \xff"}
    return netstring(known.get(key, b"NOTFOUND ") if name == b"users" else b"PERM no such map")


def client(server: MapServer, name: str = "users", limits: ConnectionLimits = LIMITS) -> Socketmap:
    return Socketmap(Address("127.0.0.1", server.port), name, limits)


async def test_it_asks_by_one_connection() -> None:
    async with serving_socketmap(answers) as server:
        users = client(server)
        assert await users.ask("Ann@L.example") == Found("/home/ann x")
        assert await users.ask("empty") == Found("")
        assert await users.ask("bob@l.example") == ABSENT
        assert await users.ask("\u00e9\udcff") == Found("\udcff")
        assert server.questions[0] == b"users ann@l.example"
        assert server.connections_count == 1
        users.close()


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with serving_socketmap(answers, path):
        users = Socketmap(Address(str(path), 0), "users", LIMITS)
        assert await users.ask("ann@l.example") == Found("/home/ann x")
        users.close()


@pytest.mark.parametrize(
    ("octets", "why"),
    [
        (netstring(b"TEMP try later"), "TEMP try later"),
        (netstring(b"TIMEOUT "), "TIMEOUT "),
        (netstring(b"PERM broken"), "PERM broken"),
        (netstring(b"WHAT"), "WHAT "),
        (netstring(b"ok lower"), "ok lower"),
        (b"3:OK ;", "BadAnswer: a netstring without its comma"),
        (b"x:OK ,", "BadAnswer: no length of a netstring, or one that is too long"),
        (b"-1:OK ,", "BadAnswer: no length of a netstring, or one that is too long"),
        (b"100001:OK ,", "BadAnswer: no length of a netstring, or one that is too long"),
        (b"9" * 5000, "BadAnswer: no netstring"),
        (CLOSE, "IncompleteReadError: 0 bytes read on a total of undefined expected bytes"),
        (b"9:OK", "TimeoutError: "),
        (SILENCE, "TimeoutError: "),
    ],
)
async def test_what_is_no_answer_is_never_not_found(octets: bytes | None, why: str) -> None:
    async with serving_socketmap(lambda question: octets) as server:
        users = client(server, limits=IMPATIENT)
        assert await users.ask("ann@l.example") == Unavailable(why)
        users.close()


async def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    users = Socketmap(Address(str(tmp_path / "none"), 0), "users", LIMITS)
    answer = await users.ask("a")
    assert isinstance(answer, Unavailable)
    assert answer.why.startswith("FileNotFoundError: ")


async def test_a_connection_that_failed_is_not_asked_again() -> None:
    def answer(question: bytes) -> bytes | None:
        return SILENCE if question.endswith(b"slow") else netstring(b"OK " + question)

    async with serving_socketmap(answer) as server:
        users = client(server, limits=IMPATIENT)
        assert await users.ask("a") == Found("users a")
        assert isinstance(await users.ask("slow"), Unavailable)
        assert await users.ask("b") == Found("users b")  # not what "slow" may still be told
        assert server.connections_count == 2
        users.close()


async def test_a_kept_connection_that_was_closed_is_made_again() -> None:
    async with serving_socketmap(answers) as server:
        users = client(server)
        assert await users.ask("empty") == Found("")
        server.drop_all()
        await asyncio.sleep(0)
        assert await users.ask("empty") == Found("")
        assert server.connections_count == 2
        users.close()


async def test_a_server_that_closes_each_connection_is_not_asked_for_ever() -> None:
    async with serving_socketmap(lambda question: CLOSE) as server:
        users = client(server)
        assert isinstance(await users.ask("a"), Unavailable)
        assert server.connections_count == 1


async def test_connections_are_few_and_who_waits_too_long_hears_so() -> None:
    async with serving_socketmap(answers) as server:
        users = client(server)
        found = await asyncio.gather(*(users.ask("empty") for _ in range(20)))
        assert found == [Found("")] * 20
        assert server.connections_count == LIMITS.connections_max
        users.close()
    async with serving_socketmap(lambda question: SILENCE) as server:
        users = client(server, limits=IMPATIENT)
        late = await asyncio.gather(*(users.ask("empty") for _ in range(5)))
        assert late == [Unavailable("TimeoutError: ")] * 5


async def test_an_idle_connection_is_closed() -> None:
    async with serving_socketmap(answers) as server:
        users = client(server, limits=ConnectionLimits(idle_seconds_max=0.05))
        assert await users.ask("empty") == Found("")
        assert server.open_count == 1
        await until(lambda: not server.open_count)


async def test_a_key_that_is_too_long_is_not_asked() -> None:
    async with serving_socketmap(answers) as server:
        answer: Answer = await client(server).ask("x" * 10_000)
        assert (answer, server.questions) == (Unavailable("the key is too long"), [])


async def test_who_gives_up_waiting_leaves_nothing_behind() -> None:
    async with serving_socketmap(lambda question: netstring(b"OK ") if question.endswith(b"b") else SILENCE) as server:
        users = client(server)
        asking = asyncio.ensure_future(users.ask("a"))
        await until(lambda: server.questions)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await users.ask("b") == Found("")
        assert server.connections_count == 2
        users.close()

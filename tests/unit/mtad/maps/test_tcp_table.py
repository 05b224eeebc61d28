from __future__ import annotations

import pytest

from mtad.config.forms import Address
from mtad.maps.answer import ABSENT, Answer, Found, Unavailable
from mtad.maps.connections import ConnectionLimits
from mtad.maps.tcp_table import TcpTable
from tests.fakes.map_servers import serving_lines

LIMITS = ConnectionLimits(answer_seconds_max=0.3, prefix_octets_max=4096)


@pytest.mark.parametrize(
    ("octets", "answer"),
    [
        (b"200 one%20two%0A\n", Found("one two\n")),
        (b"200 one two\r\n", Found("one two")),
        (b"200\n", Found("")),
        (b"500 not here\n", ABSENT),
        (b"400 later\n", Unavailable("400 later")),
        (b"600 what\n", Unavailable("600 what")),
        (b"x" * 5000, Unavailable("BadAnswer: a line that is too long")),
        (b"200 half", Unavailable("TimeoutError: ")),
        (b"", Unavailable("IncompleteReadError: 0 bytes read on a total of undefined expected bytes")),
    ],
)
async def test_answers(octets: bytes, answer: Answer) -> None:
    async with serving_lines(lambda question: octets) as server:
        table = TcpTable(Address("127.0.0.1", server.port), LIMITS)
        assert await table.ask("a") == answer
        table.close()


async def test_keys_are_quoted() -> None:
    async with serving_lines(lambda question: b"500 no\n") as server:
        table = TcpTable(Address("127.0.0.1", server.port), LIMITS)
        assert await table.ask("Ann B%@\n\u00e9") == ABSENT
        assert await table.ask("b") == ABSENT
        assert server.questions == [b"get ann%20b%25@%0A%C3%A9", b"get b"]
        assert server.connections_count == 1
        assert await table.ask("x" * 5000) == Unavailable("the key is too long")
        table.close()

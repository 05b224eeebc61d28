"""Binary content on its way: by BDAT as it is, or not at all (RFC 3030)."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest

from mtad.mail.outcome import Result
from tests.fakes.outgoing import Outgoing, outgoing, to
from tests.fakes.scripted_server import DROP, PLAIN_EXTENSIONS, Script, ScriptedServer

EXTENSIONS = (*PLAIN_EXTENSIONS, "CHUNKING", "BINARYMIME")
CONTENT = b"Subject: binary\r\n\r\n.\r\n\0\n\r.\n" + bytes(range(256))
U, V = "u@b.test", "v@b.test"


@pytest.mark.parametrize("is_lmtp", [False, True])
@pytest.mark.parametrize("size_octets", [len(CONTENT), 600_000])
async def test_goes_as_it_is(size_octets: int, is_lmtp: bool) -> None:
    content = (CONTENT * (size_octets // len(CONTENT) + 1))[:size_octets]
    async with ScriptedServer(Script(extensions=EXTENSIONS, is_lmtp=is_lmtp)) as server, outgoing() as out:
        transaction = out.open(is_binary=True)
        assert await transaction.recipient(U, to(server)) is None
        finished = await transaction.finish(content, 20)
        outcomes = await out.attempt({V: to(server)}, content, is_binary=True)
        assert {outcome.result for outcome in (*finished.outcomes.values(), *outcomes.values())} == {Result.DELIVERED}
        assert [message.content for message in server.messages] == [content, content]
        assert [message.mail.rpartition(" ")[2] for message in server.messages] == ["BODY=BINARYMIME"] * 2
        assert "DATA" not in server.commands
        assert server.connections_count == 1


async def test_a_next_hop_without_it_refuses_while_the_client_asks() -> None:
    async with ScriptedServer(Script(extensions=(*PLAIN_EXTENSIONS, "CHUNKING"))) as server, outgoing() as out:
        refused = await out.open(is_binary=True).recipient(U, to(server))
        assert refused is not None
        assert (refused.result, refused.reply.code, refused.reply.enhanced) == (Result.FAILED, 554, "5.6.3")
        assert (await out.attempt({U: to(server)}, CONTENT, is_binary=True))[U].reply.enhanced == "5.6.3"
        assert server.messages == []
        assert (await out.attempt({U: to(server)}))[U].result is Result.DELIVERED


async def sent(out: Outgoing, server: ScriptedServer) -> Result:
    return (await out.attempt({U: to(server)}, CONTENT, is_binary=True))[U].result


async def test_lost_at_the_end_is_unknown_and_refused_is_refused() -> None:
    replies = {"chunk": ("250 go on", "452 4.3.1 No room", "552 5.3.4 Too large"), "dot": DROP}
    async with ScriptedServer(Script(replies, extensions=EXTENSIONS)) as server, outgoing() as out:
        assert [await sent(out, server) for _ in range(3)] == [Result.UNKNOWN, Result.DELAYED, Result.FAILED]
        assert server.connections_count == 3


async def test_without_a_warrant_the_last_chunk_is_never_sent() -> None:
    async def never(recipients: Collection[str]) -> bool:
        await asyncio.sleep(0.05)  # the reply to the first chunk comes meanwhile
        return False

    async with ScriptedServer(Script(extensions=EXTENSIONS)) as server, outgoing() as out:
        outcomes = await out.attempt({U: to(server)}, CONTENT, never, is_binary=True)
        assert outcomes[U].result is Result.DELAYED
        assert server.messages == []
        assert f"BDAT {len(CONTENT)}" in server.commands

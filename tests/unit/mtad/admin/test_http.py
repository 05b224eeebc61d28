"""The small HTTP server: what it answers, and that nobody can use more of it than is meant."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from mtad.admin.http import HttpLimits, HttpServer, Page
from mtad.telemetry.events import CollectedEvents

LIMITS = HttpLimits(head_octets_max=300, fields_max=3, connections_max=2, seconds_max=60)


def broken() -> Page:
    raise ValueError("a secret")


PAGES = {
    "/a": lambda: Page("ü\n"),
    "/away": lambda: Page("no\n", HTTPStatus.SERVICE_UNAVAILABLE, "text/x"),
    "/broken": broken,
    "/large": lambda: Page("x" * (64 << 20)),
}


@asynccontextmanager
async def serving(limits: HttpLimits = LIMITS) -> AsyncIterator[tuple[int, CollectedEvents]]:
    events = CollectedEvents()
    server = HttpServer(PAGES, events, limits)
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    await server.start([listening])
    try:
        yield port, events
    finally:
        await server.stop()


async def said(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


async def test_a_page_is_answered_and_the_connection_closed() -> None:
    async with serving() as (port, _):
        head, _, body = (await said(port, b"GET /a?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")).partition(b"\r\n\r\n")
        assert body == "ü\n".encode()
        assert head.decode().split("\r\n") == [
            "HTTP/1.1 200 OK",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Length: 3",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        assert (await said(port, b"HEAD /a HTTP/1.0\r\n\r\n")).endswith(
            b"Content-Length: 3\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
        assert (await said(port, b"GET /away HTTP/1.1\r\n\r\n")).startswith(
            b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/x\r\n"
        )


@pytest.mark.parametrize(
    "target",
    ["/a", "/%61", "http://node.example/a", "HTTP://node.example:7251/a?x=1", "/a?x=http://y/", "/a?"],
)
async def test_a_page_is_found_however_its_address_is_written(target: str) -> None:
    async with serving() as (port, _):
        assert b" 200 OK" in await said(port, f"GET {target} HTTP/1.1\r\n\r\n".encode())


@pytest.mark.parametrize(
    "target", ["*", "http:", "http://", "http:///a", "//a/a", "/a%", "/%zz", "/%ff", "node:80", "a"]
)
async def test_what_leads_to_no_page_is_not_there(target: str) -> None:
    async with serving() as (port, events):
        assert b" 404 Not Found" in await said(port, f"GET {target} HTTP/1.1\r\n\r\n".encode())
        assert events.events == []


@pytest.mark.parametrize(
    ("request_octets", "status"),
    [
        (b"GET /none HTTP/1.1\r\n\r\n", b"404 Not Found"),
        (b"POST /a HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET /a HTTP/2.0\r\n\r\n", b"400 Bad Request"),
        (b"GET /a\r\n\r\n", b"400 Bad Request"),
        (b"\r\n\r\n", b"400 Bad Request"),
        (b"\xff\x00 \xff HTTP/1.1\r\n\r\n", b"405 Method Not Allowed"),
        (b"GET /a HTTP/1.1\r\n" + b"A: b\r\n" * 4 + b"\r\n", b"431 Request Header Fields Too Large"),
        (b"GET /" + b"a" * 400, b"431 Request Header Fields Too Large"),
    ],
)
async def test_what_is_no_request_for_a_page_is_told_so(request_octets: bytes, status: bytes) -> None:
    async with serving() as (port, events):
        assert (await said(port, request_octets)).startswith(b"HTTP/1.1 " + status + b"\r\n")
        assert events.events == []


async def test_a_fault_is_told_by_a_reference_into_the_log() -> None:
    async with serving() as (port, events):
        answer = await said(port, b"GET /broken HTTP/1.1\r\n\r\n")
        ((_, fault),) = events.events
        assert answer.startswith(b"HTTP/1.1 500 ")
        assert answer.endswith(f"local error, ref {fault['trace']}\n".encode())
        assert (b"secret" in answer, fault["call"], fault["error"]) == (False, "/broken", "ValueError: a secret")


async def is_served(port: int) -> bool:
    """Tell whether a client is let in now; one that is not may see its connection reset, or closed."""
    try:
        return b" 200 OK" in await said(port, b"GET /a HTTP/1.1\r\n\r\n")
    except ConnectionError:
        return False


async def test_more_connections_than_there_may_be_are_closed_and_a_place_becomes_free_again() -> None:
    async with serving() as (port, _):
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        assert not await is_served(port)
        for reader, writer in held:
            writer.write(b"GET /a HTTP/1.1\r\n\r\n")
            assert b" 200 OK" in await reader.read()
            writer.close()
        assert await is_served(port)


@pytest.mark.parametrize("request_octets", [b"GET /a HTTP/1.1\r\n", b"GET /large HTTP/1.1\r\n\r\n"])
async def test_who_is_slow_is_not_waited_for(request_octets: bytes) -> None:
    limits = HttpLimits(connections_max=1, seconds_max=0.05)
    async with serving(limits) as (port, events):
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(request_octets)
            while not await is_served(port):
                pass
        assert events.events == []

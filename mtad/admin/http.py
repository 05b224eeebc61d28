"""Answers GET over HTTP/1.1 (RFC 9112) with a few pages, and closes each connection behind its answer.

Of a request only its first line is read for sense. Everything has a limit, for whoever reaches the port may connect.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import unquote

from mtad.telemetry.events import Events

_PLAIN = "text/plain; charset=utf-8"
_END = b"\r\n\r\n"
_VERSIONS = ("HTTP/1.0", "HTTP/1.1")
_METHODS = ("GET", "HEAD")
_TARGET = re.compile(r"(?:http://[^/?]+)?(/[^?]*)", re.IGNORECASE)  # RFC 9112 §3.2.1, §3.2.2


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """What clients may use."""

    head_octets_max: int = 8192  # of a request's line and fields
    fields_max: int = 64
    connections_max: int = 16  # more are closed at once
    seconds_max: float = 10.0  # from the connection to the last octet of the answer


@dataclass(frozen=True, slots=True)
class Page:
    """An answer."""

    text: str
    status: HTTPStatus = HTTPStatus.OK
    media_type: str = _PLAIN


Pages = Mapping[str, Callable[[], Page]]


class HttpServer:
    """Serves pages by their paths, each made as it is asked for."""

    def __init__(self, pages: Pages, events: Events, limits: HttpLimits | None = None) -> None:
        self._pages = pages
        self._events = events
        self._limits = limits or HttpLimits()
        self._servers: list[asyncio.Server] = []
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these listening sockets. Errors: OSError."""
        for listening in sockets:
            server = await asyncio.start_server(self._take, sock=listening, limit=self._limits.head_octets_max)
            self._servers.append(server)

    async def stop(self) -> None:
        """Close everything."""
        for server in self._servers:
            server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._talks) >= self._limits.connections_max:
            writer.transport.abort()
            return
        talk = asyncio.get_running_loop().create_task(self._talk(reader, writer))
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(self._limits.seconds_max):
                writer.write(await self._answer(reader))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, asyncio.IncompleteReadError):  # a time-out is one too: the client is slow, or gone
            return
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader) -> bytes:
        """Return the answer to a request. Errors: IncompleteReadError when the client goes before its end."""
        try:
            head = await reader.readuntil(_END)
        except asyncio.LimitOverrunError:
            return _octets(_told(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        line, *fields = head.removesuffix(_END).decode("latin-1").split("\r\n")
        if len(fields) > self._limits.fields_max:
            return _octets(_told(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE))
        words = line.split(" ")
        if len(words) != 3 or words[2] not in _VERSIONS:
            return _octets(_told(HTTPStatus.BAD_REQUEST))
        method, target, _ = words
        if method not in _METHODS:
            return _octets(_told(HTTPStatus.METHOD_NOT_ALLOWED))
        return _octets(self._page(_path(target)), has_body=method == "GET")

    def _page(self, path: str) -> Page:
        made = self._pages.get(path)
        if made is None:
            return Page(f"there are {', '.join(self._pages)}\n", HTTPStatus.NOT_FOUND)
        try:
            return made()
        except Exception as error:  # noqa: BLE001 (the boundary of one request: its text stays here)
            trace = secrets.token_hex(4)
            self._events.emit("admin.fault", "error", call=path, trace=trace, error=f"{type(error).__name__}: {error}")
            return Page(f"local error, ref {trace}\n", HTTPStatus.INTERNAL_SERVER_ERROR)


def _path(target: str) -> str:
    """Return the path of a request's target as pages have it; '' where it has none."""
    found = _TARGET.match(target)
    return unquote(found[1]) if found is not None else ""


def _told(status: HTTPStatus) -> Page:
    return Page(f"{status.phrase}\n", status)


def _octets(page: Page, *, has_body: bool = True) -> bytes:
    """Return an answer as it is sent."""
    body = page.text.encode("utf-8", "replace")
    fields = [
        f"HTTP/1.1 {page.status.value} {page.status.phrase}",
        f"Content-Type: {page.media_type}",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if page.status is HTTPStatus.METHOD_NOT_ALLOWED:
        fields.append(f"Allow: {', '.join(_METHODS)}")
    return "\r\n".join(fields).encode("ascii") + _END + (body if has_body else b"")

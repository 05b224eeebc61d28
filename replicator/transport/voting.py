"""A member's way to the witness: single calls over mutual TLS, each of which may fail; the next one is asked anew.

The witness's certificate must carry the expected name. When it carries another, both names are reported.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import grpc.aio

from replicator.core.grants import Ask, Denied, Granted, Release, Reply, Request
from replicator.pb import witness_pb2 as pb
from replicator.report import Report
from replicator.transport import certificates
from replicator.transport.certificates import Credentials
from replicator.transport.link import split_address

SERVICE = "replicator.v1.Witness"
CALL_SECONDS_MAX = 2.0
CALLS_MAX = 8  # under way; what comes beyond is dropped, as it would be asked again
RENEW_SECONDS = 5.0  # a channel that fails is made anew after so long, with the credentials as the files have them
PROBLEM_SECONDS = 30.0  # an owner asks every quarter of a lease; what failed longer ago than this says nothing of now
STOP_SECONDS = 0.3  # for the calls under way at the end: a release among them spares the peer a wait
OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_retries", 0),
    ("grpc.enable_http_proxy", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 2_000),
    ("grpc.keepalive_timeout_ms", 3_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", 65_536),
]


@dataclass(frozen=True, slots=True)
class VotingSettings:
    """Where the witness is, and the name that its certificate must carry."""

    group: str
    name: str
    address: str
    credentials: Credentials


class Voting:
    """Brings requests to the witness and its answers back. All methods are for the loop that ran start()."""

    def __init__(
        self,
        settings: VotingSettings,
        said: Callable[[Reply], None],
        report: Report,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._said = said
        self._report = report
        self._clock = clock
        self._calls: set[asyncio.Task[None]] = set()
        self._channel: grpc.aio.Channel | None = None
        self._made_at = 0.0
        self._is_renewing = False
        self._problem = ""
        self._failed_at = 0.0

    @property
    def problem(self) -> str:
        """Say why the witness did not answer; '' when it did, or was not asked lately, as a passive member does not."""
        return self._problem if self._clock() - self._failed_at < PROBLEM_SECONDS else ""

    async def start(self) -> None:
        """Make the channel; nothing is asked yet. Errors: OSError when a file of the credentials cannot be read."""
        self._make_channel()

    async def stop(self) -> None:
        """End what is under way."""
        if self._calls:
            await asyncio.wait(self._calls, timeout=STOP_SECONDS)
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        if self._channel is not None:
            await self._channel.close()

    def send(self, request: Request) -> None:
        """Bring a request to the witness, if it can be reached."""
        if len(self._calls) < CALLS_MAX:
            call = asyncio.create_task(self._call(request))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)

    async def _call(self, request: Request) -> None:
        assert self._channel is not None
        try:
            if isinstance(request, Ask):
                said = await _unary(self._channel, "Hold", pb.Ask, pb.Said)(
                    pb.Ask(group=self._settings.group, **request._asdict()), timeout=CALL_SECONDS_MAX
                )
                self._problem = ""
                self._said(reply_of(said))
            else:
                await _unary(self._channel, "GiveUp", pb.Release, pb.Noted)(
                    release_to(self._settings.group, request), timeout=CALL_SECONDS_MAX
                )
        except (grpc.RpcError, grpc.aio.UsageError, OSError) as error:
            await self._failed(error)

    async def _failed(self, error: Exception) -> None:
        """Note why the witness did not answer; a channel that fails for long is made anew."""
        details = getattr(error, "details", None)
        text = str((details() if callable(details) else error) or type(error).__name__)[:200]
        self._failed_at = self._clock()
        if not self._problem.startswith("certificate:"):
            self._problem = text
        if self._is_renewing or self._clock() - self._made_at < RENEW_SECONDS:
            return
        self._is_renewing = True
        try:
            await self._diagnose()
            old = self._channel
            self._make_channel()
            if old is not None:
                await old.close()
        except OSError as cause:
            self._report.emit("replica.credentials", level="error", what=str(cause))
        finally:
            self._is_renewing = False

    async def _diagnose(self) -> None:
        """Say which name came, when it is not the expected one."""
        expected = self._settings.name
        host, port = split_address(self._settings.address)
        seen = await certificates.look(host, port, self._settings.credentials)
        if seen.names and expected not in seen.names:
            came = ",".join(seen.names)
            self._problem = f"certificate: expected {expected}, came {came}"
            self._report.emit("replica.witness_refused", level="error", expected=expected, came=came)
        else:
            self._problem = seen.problem or self._problem

    def _make_channel(self) -> None:
        ca, certificate, key = self._settings.credentials.read()
        credentials = grpc.ssl_channel_credentials(ca, key, certificate)
        options = [*OPTIONS, ("grpc.ssl_target_name_override", self._settings.name)]
        self._channel = grpc.aio.secure_channel(self._settings.address, credentials, options)
        self._made_at = self._clock()


def _unary(channel: grpc.aio.Channel, method: str, request: Any, reply: Any) -> Any:
    return channel.unary_unary(
        f"/{SERVICE}/{method}", request_serializer=request.SerializeToString, response_deserializer=reply.FromString
    )


def ask_of(message: pb.Ask) -> Ask:
    """Read a request."""
    return Ask(message.node, message.incarnation, message.generation, message.ticket, message.epoch)


def release_of(message: pb.Release) -> Release:
    """Read a release."""
    return Release(message.node, message.incarnation, message.generation, message.heir - 1)


def release_to(group: str, release: Release) -> pb.Release:
    """Write a release."""
    node, incarnation, generation, heir = release
    return pb.Release(group=group, node=node, incarnation=incarnation, generation=generation, heir=heir + 1)


def said_to(reply: Reply) -> pb.Said:
    """Write an answer."""
    said = pb.Said(incarnation=reply.incarnation, generation=reply.generation, ticket=reply.ticket, epoch=reply.epoch)
    if isinstance(reply, Granted):
        said.is_granted, said.lease = True, reply.lease
    else:
        said.node, said.why = reply.node + 1, reply.why
    return said


def reply_of(said: pb.Said) -> Reply:
    """Read an answer."""
    to = (said.incarnation, said.generation, said.ticket, said.epoch)
    return Granted(*to, said.lease) if said.is_granted else Denied(*to, said.node - 1, said.why)

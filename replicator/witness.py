"""The witness's process: the pure core, one small file for the last grant, and calls over mutual TLS.

One process serves one pair. A grant of an epoch is in the file, and the file and its folder are synced, before it is
answered; this happens on the loop, since nothing else may be answered meanwhile.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import grpc
import grpc.aio

from replicator.clock import now
from replicator.core.grants import Reply, Request
from replicator.core.values import SECOND
from replicator.core.witness import NO_GRANT, NOBODY, Answered, Grant, Keep, Requested, Witness
from replicator.pb import witness_pb2 as pb
from replicator.report import Report, Sparing
from replicator.transport import certificates
from replicator.transport.certificates import Credentials
from replicator.transport.listening import unheard
from replicator.transport.renewing import server_credentials
from replicator.transport.voting import OPTIONS, SERVICE, ask_of, release_of, said_to

STATE_OCTETS_MAX = 4_096
FORMAT = 1


@dataclass(frozen=True, slots=True)
class WitnessSettings:
    """Whom the witness serves, and where. folder: of its state; it must be on a disk that keeps what it synced."""

    group: str
    members: tuple[str, ...]  # names in the members' certificates
    listen_address: str
    folder: Path
    credentials: Credentials
    lease_seconds: float = 3.0


class WitnessStateError(Exception):
    """The state cannot be used, and why; the text is for the operator."""


class State:
    """The file with the last grant, locked against a second process."""

    def __init__(self, folder: Path, group: str) -> None:
        self._folder = folder
        self._group = group
        self._path = folder / "grant.json"
        self._lock: IO[bytes] | None = None

    def open(self) -> Grant:
        """Return the last grant. Errors: WitnessStateError; OSError."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = (self._folder / "lock").open("wb")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise WitnessStateError(f"{self._folder} is another witness's, which is running") from None
        try:
            return self._read() if self._path.exists() else NO_GRANT
        except WitnessStateError:
            self.close()
            raise

    def _read(self) -> Grant:
        try:
            told = json.loads(self._path.read_bytes()[:STATE_OCTETS_MAX])
            found = (told["format"], told["group"])
            grant = Grant(*(int(told[name]) for name in Grant._fields))
        except (ValueError, KeyError, TypeError) as error:
            raise WitnessStateError(f"{self._path} is not a witness's state: {error!r}") from None
        if found != (FORMAT, self._group):
            raise WitnessStateError(f"{self._path} is of group {found[1]!r}, format {found[0]}")
        return grant

    def keep(self, grant: Grant) -> None:
        """Make a grant durable. Errors: OSError."""
        text = json.dumps({"format": FORMAT, "group": self._group, **grant._asdict()})
        beside = self._path.with_suffix(".new")
        with beside.open("w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def close(self) -> None:
        """Let go of the lock."""
        if self._lock is not None:
            self._lock.close()


class WitnessServer:
    """A running witness. All methods are for the loop that ran start()."""

    def __init__(self, settings: WitnessSettings, report: Report) -> None:
        self._settings = settings
        self._report = Sparing(report)
        self._state = State(settings.folder, settings.group)
        self._server: grpc.aio.Server | None = None
        self.listen_port = 0
        self.failed = asyncio.Event()  # the state cannot be kept: nothing is answered any more

    async def start(self) -> None:
        """Read the state and listen. Errors: WitnessStateError; OSError."""
        settings = self._settings
        credentials = server_credentials(settings.credentials, self._unreadable)
        self._witness = Witness(self._state.open(), round(settings.lease_seconds * SECOND), now())
        server = grpc.aio.server(options=[*OPTIONS, ("grpc.so_reuseport", 0)])
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "Hold": grpc.unary_unary_rpc_method_handler(
                self._hold, request_deserializer=pb.Ask.FromString, response_serializer=pb.Said.SerializeToString
            ),
            "GiveUp": grpc.unary_unary_rpc_method_handler(
                self._give_up,
                request_deserializer=pb.Release.FromString,
                response_serializer=pb.Noted.SerializeToString,
            ),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        try:
            self.listen_port = server.add_secure_port(settings.listen_address, credentials)
        except RuntimeError as error:
            self._state.close()
            raise unheard(settings.listen_address) from error
        await server.start()
        self._server = server
        grant = self._witness.grant
        self._report.emit("witness.started", epoch=grant.epoch, holder=grant.node, port=self.listen_port)

    async def stop(self) -> None:
        """Answer no more."""
        if self._server is not None:
            await self._server.stop(0.1)
        self._state.close()

    def _unreadable(self, what: str) -> None:
        self._report.emit("witness.credentials", level="error", what=what)

    async def _hold(self, message: pb.Ask, context: Any) -> pb.Said:
        await self._check(message.group, context)
        reply = self._step(ask_of(message))
        assert reply is not None
        return said_to(reply)

    async def _give_up(self, message: pb.Release, context: Any) -> pb.Noted:
        await self._check(message.group, context)
        holder = self._witness.holder(now())
        self._step(release_of(message))
        if holder != NOBODY and self._witness.holder(now()) == NOBODY:
            self._report.emit("witness.released", node=message.node, heir=message.heir - 1)
        return pb.Noted()

    async def _check(self, group: str, context: Any) -> None:
        """End a call of a stranger: another certificate's, or another pair's."""
        if self.failed.is_set():
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the witness cannot keep its state")
        names = certificates.names_of_context(context.auth_context())
        if not set(names) & set(self._settings.members):
            expected, came = " or ".join(self._settings.members), ",".join(names) or "none"
            self._report.emit("witness.refused", level="error", expected=expected, came=came)
            why = f"certificate: expected {expected}, came {came}"
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, why)
        if group != self._settings.group:
            self._report.emit("witness.refused", level="error", expected=self._settings.group, came=group)
            why = f"group: expected {self._settings.group!r}, came {group!r}"
            await context.abort(grpc.StatusCode.FAILED_PRECONDITION, why)

    def _step(self, request: Request) -> Reply | None:
        """Let the core decide, and do what it asks for. Errors: OSError: nothing was answered, and nothing will be."""
        reply: Reply | None = None
        for effect in self._witness.step(now(), Requested(0, request)):
            match effect:
                case Keep(grant):
                    self._keep(grant)
                case Answered(_, reply):
                    pass
        return reply

    def _keep(self, grant: Grant) -> None:
        """Keep a grant. A core whose grant is not on the disk must answer no more: it would renew what is not kept."""
        try:
            self._state.keep(grant)
        except OSError as error:
            self.failed.set()
            self._report.emit("witness.failed", level="error", what=str(error))
            raise
        self._report.emit("witness.granted", epoch=grant.epoch, node=grant.node)

"""Asks a node's admin service, with a deadline, and says plainly when it does not answer."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc

from mtad.pb import admin_pb2 as pb
from mtad.pb import admin_pb2_grpc

ANSWER_SECONDS = 10.0
HANDOVER_SECONDS = 60.0  # a switchover waits for running attempts
LIST_SECONDS = 600.0  # for the whole list
MESSAGE_OCTETS_MAX = 2**31 - 1  # the largest content that `queue show --content` can bring
SOCKET_PATH_OCTETS_MAX = 107  # of a Unix socket's name
PORT_MAX = 65_535

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_NO_ANSWER = 3
_NO_ANSWER = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)


class NodeError(Exception):
    """The node did not answer, or not what was asked; ends a command with its exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def target_of(address: str) -> str:
    """Return the gRPC target of `--node`. Errors: NodeError, when it is no address that may be asked in clear."""
    if address.startswith("unix:") or "/" in address or ":" not in address:
        path = Path(address.removeprefix("unix:")).absolute()
        if len(str(path).encode()) > SOCKET_PATH_OCTETS_MAX:
            raise NodeError(f"{path} is longer than the {SOCKET_PATH_OCTETS_MAX} octets of a socket's path", EXIT_USAGE)
        return f"unix:{path}"
    host, _, port = address.rpartition(":")
    if not (port.isdigit() and 0 < int(port[:6]) <= PORT_MAX):
        raise NodeError(f"{address} has no port from 1 to {PORT_MAX}", EXIT_USAGE)
    if host != "localhost" and not _is_loopback(host.strip("[]")):
        raise NodeError(f"{address} is not on loopback; run mtactl on that machine", EXIT_USAGE)
    return f"{host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class NodeClient:
    """One connection to one node. Every call's errors: NodeError."""

    def __init__(self, address: str, timeout_seconds: float | None = None) -> None:
        self._address = address
        self._timeout_seconds = timeout_seconds
        self._target = target_of(address)
        self._channel = grpc.insecure_channel(
            self._target,
            options=[("grpc.max_receive_message_length", MESSAGE_OCTETS_MAX), ("grpc.enable_http_proxy", 0)],
        )
        self._stub = admin_pb2_grpc.AdminStub(self._channel)

    def __enter__(self) -> NodeClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def status(self) -> pb.StatusReply:
        """Ask how the node is."""
        answer: pb.StatusReply = self._ask(self._stub.Status, pb.StatusRequest(), ANSWER_SECONDS)
        return answer

    def messages(self, selection: pb.Selection, limit: int = 0, sort: str = "") -> Iterator[pb.QueueEntry]:
        """Yield the selected messages as they come."""
        seconds = self._timeout_seconds or LIST_SECONDS
        request = pb.QueueListRequest(selection=selection, limit=limit, sort=sort)
        try:
            yield from self._stub.QueueList(request, timeout=seconds)
        except grpc.RpcError as error:
            raise self._failure(error, seconds) from None

    def message(self, queue_id: str, *, headers: bool, content: bool) -> pb.QueueShowReply:
        """Ask for one message."""
        request = pb.QueueShowRequest(queue_id=queue_id, headers=headers, content=content)
        answer: pb.QueueShowReply = self._ask(self._stub.QueueShow, request, HANDOVER_SECONDS)
        return answer

    def act(self, verb: str, selection: pb.Selection, *, dry_run: bool) -> pb.QueueActReply:
        """Do something to the selected messages, or only say to which."""
        request = pb.QueueActRequest(verb=verb, selection=selection, dry_run=dry_run)
        answer: pb.QueueActReply = self._ask(self._stub.QueueAct, request, HANDOVER_SECONDS)
        return answer

    def replica(self, verb: str, *, force: bool = False) -> pb.ReplicaReply:
        """Change the node's role."""
        answer: pb.ReplicaReply = self._ask(
            self._stub.Replica, pb.ReplicaRequest(verb=verb, force=force), HANDOVER_SECONDS
        )
        return answer

    def verify(self) -> pb.VerifyReply:
        """Have the node compare its queue with its peer's."""
        answer: pb.VerifyReply = self._ask(self._stub.Verify, pb.VerifyRequest(), LIST_SECONDS)
        return answer

    def resync(self, *, full: bool, force: bool) -> pb.ResyncReply:
        """Have the node fill its queue again from its peer's."""
        request = pb.ResyncRequest(full=full, force=force)
        answer: pb.ResyncReply = self._ask(self._stub.Resync, request, LIST_SECONDS)
        return answer

    def back_up(self, directory: str) -> pb.BackupReply:
        """Have the node copy its queue."""
        answer: pb.BackupReply = self._ask(self._stub.Backup, pb.BackupRequest(directory=directory), LIST_SECONDS)
        return answer

    def compact(self) -> pb.CompactReply:
        """Have the node make its queue's file as small as what it holds."""
        answer: pb.CompactReply = self._ask(self._stub.Compact, pb.CompactRequest(), LIST_SECONDS)
        return answer

    def reload(self) -> pb.Policy:
        """Have the node load its policy anew."""
        answer: pb.Policy = self._ask(self._stub.Reload, pb.ReloadRequest(), ANSWER_SECONDS)
        return answer

    def _ask(self, call: Callable[..., Any], request: Any, seconds: float) -> Any:
        seconds = self._timeout_seconds or seconds
        try:
            return call(request, timeout=seconds)
        except grpc.RpcError as error:
            raise self._failure(error, seconds) from None

    def _failure(self, error: grpc.RpcError, seconds: float) -> NodeError:
        code = error.code()
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return NodeError(f"the node at {self._address} did not answer in {seconds:g} s", EXIT_NO_ANSWER)
        if code in _NO_ANSWER:
            return NodeError(f"no node answers at {self._address}; {self._advice()}", EXIT_NO_ANSWER)
        return NodeError(f"the node at {self._address} answered {code.name}: {error.details()}", EXIT_REFUSED)

    def _advice(self) -> str:
        """Say what may help when there is no answer."""
        if self._target.startswith("unix:") and not may_connect(Path(self._target.removeprefix("unix:"))):
            return "you may not open this socket: run mtactl as root or as mtad's user"
        return "is `mtad run` running there? --config or --node says which node is meant"


def may_connect(path: Path) -> bool:
    """Tell whether this user may open a Unix socket; one that does not exist is no matter of permission."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
        except PermissionError:
            return False
        except OSError:
            return True
    return True

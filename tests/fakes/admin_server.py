"""An admin service of a node that is only told what to answer, on a Unix socket in a scratch folder."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

from mtad.pb import admin_pb2 as pb
from mtad.pb import admin_pb2_grpc
from tests.fakes.waiting import WAIT_SECONDS


class FakeAdmin(admin_pb2_grpc.AdminServicer):
    """Answers from its attributes and remembers the requests."""

    def __init__(self) -> None:
        self.status = pb.StatusReply(node="alpha", role="alone", version="0.1.0")
        self.entries: list[pb.QueueEntry] = []
        self.shown = pb.QueueShowReply()
        self.refused = ""
        self.refused_after = 0  # messages of which it was true before
        self.replica = pb.ReplicaReply(done=True)
        self.verified = pb.VerifyReply()
        self.resynced = pb.ResyncReply()
        self.backup = pb.BackupReply()
        self.compacted = pb.CompactReply()
        self.policy = pb.Policy()
        self.fault = ""  # what the service fails with
        self.requests: list[Any] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def _taken(self, request: Any, context: grpc.ServicerContext) -> None:
        self.requests.append(request)
        self.may_answer.wait(WAIT_SECONDS)
        if self.fault:
            context.abort(grpc.StatusCode.INTERNAL, self.fault)

    def Status(self, request: pb.StatusRequest, context: grpc.ServicerContext) -> pb.StatusReply:
        self._taken(request, context)
        return self.status

    def QueueList(self, request: pb.QueueListRequest, context: grpc.ServicerContext) -> Iterator[pb.QueueEntry]:
        self._taken(request, context)
        yield from self.entries[: request.limit or None]

    def QueueShow(self, request: pb.QueueShowRequest, context: grpc.ServicerContext) -> pb.QueueShowReply:
        self._taken(request, context)
        return self.shown

    def QueueAct(self, request: pb.QueueActRequest, context: grpc.ServicerContext) -> pb.QueueActReply:
        self._taken(request, context)
        asked = request.selection.queue_ids
        held = [entry.queue_id for entry in self.entries]
        chosen = [queue_id for queue_id in held if not asked or queue_id in asked]
        if self.refused:
            return pb.QueueActReply(refused=self.refused, queue_ids=chosen[: self.refused_after])
        if not request.dry_run and request.verb == "delete":
            self.entries = [entry for entry in self.entries if entry.queue_id not in chosen]
        return pb.QueueActReply(queue_ids=chosen)

    def Replica(self, request: pb.ReplicaRequest, context: grpc.ServicerContext) -> pb.ReplicaReply:
        self._taken(request, context)
        return self.replica

    def Verify(self, request: pb.VerifyRequest, context: grpc.ServicerContext) -> pb.VerifyReply:
        self._taken(request, context)
        return self.verified

    def Resync(self, request: pb.ResyncRequest, context: grpc.ServicerContext) -> pb.ResyncReply:
        self._taken(request, context)
        return self.resynced

    def Backup(self, request: pb.BackupRequest, context: grpc.ServicerContext) -> pb.BackupReply:
        self._taken(request, context)
        return self.backup

    def Compact(self, request: pb.CompactRequest, context: grpc.ServicerContext) -> pb.CompactReply:
        self._taken(request, context)
        return self.compacted

    def Reload(self, request: pb.ReloadRequest, context: grpc.ServicerContext) -> pb.Policy:
        self._taken(request, context)
        return self.policy


@contextlib.contextmanager
def serving(admin: FakeAdmin, socket: Path) -> Iterator[None]:
    """Serve on the socket while the block runs."""
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        admin_pb2_grpc.add_AdminServicer_to_server(admin, server)
        server.add_insecure_port(f"unix:{socket}")
        server.start()
        try:
            yield
        finally:
            admin.may_answer.set()
            server.stop(0).wait()

"""The half that owns the queue: replication, redelivery, the admin service, and the door for the workers."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc.aio

from mtad.admin.http import HttpServer
from mtad.admin.monitoring import monitoring_pages
from mtad.admin.service import AdminService, Vitals
from mtad.config.settings import Settings
from mtad.limits.ledger import Ledger
from mtad.main.assembly import MESSAGE_EXTRA_OCTETS, QueueIds, Shared, wall_ms
from mtad.main.queue_assembly import build_spool, role_hook
from mtad.main.role_hook import RoleHook
from mtad.main.start import StartError
from mtad.main.version import VERSION
from mtad.pb import queue_pb2_grpc
from mtad.runner.places import PlaceLimits
from mtad.runner.runner import Collaborators, Local, Runner, RunnerLimits
from mtad.spool.notification import Notifier
from mtad.spool.remote import NO_COUNTS, WorkerCounts, channel_options
from mtad.spool.service import SpoolService
from mtad.telemetry.counted import CountedEvents
from mtad.telemetry.tally import Tally
from replicator.view import role_name

SLOW_TIMES = 3  # attempts at next hops that are slow to answer, beside as many others as the settings allow


class Back:
    """The queue's half of a node."""

    def __init__(
        self,
        settings: Settings,
        shared: Shared,
        queue_ids: QueueIds,
        ledger: Ledger,
        counted: tuple[CountedEvents, Tally],
    ) -> None:
        events, tally = counted
        self._settings = settings
        self._node, self.spool = build_spool(settings, ledger, events)
        self._service = SpoolService(
            self.spool, self.spool.memories, events, self.spool.counters.door, ledger.places, tally.take
        )
        self._delivery = shared.delivery
        self._policy = shared.policy
        self._policy.on_load(self._service.reloaded)
        self.counts_here: Callable[[], WorkerCounts] = lambda: NO_COUNTS  # of a front in this process
        self.notifier = Notifier(settings.node.hostname, shared.signer.sign)
        self._runner = Runner(
            RunnerLimits(
                PlaceLimits(
                    at_once_max=settings.delivery.redeliveries_max,
                    per_domain_max=settings.delivery.connections_per_hop_max,
                    slow_max=SLOW_TIMES * settings.delivery.redeliveries_max,
                ),
                claim_seconds=0.0 if settings.replication is None else settings.replication.claim_seconds,
            ),
            Local(settings.node.id, wall_ms, queue_ids.next),
            Collaborators(self.spool, shared.policy, shared.delivery, self.notifier, self._ask_again),
            events,
        )
        vitals = Vitals(VERSION, self._counts, wall_ms, lambda: self._policy.state, self._policy.reload)
        self._admin = AdminService(self.spool, vitals, events)
        self._watched = HttpServer(monitoring_pages(self._admin.status, tally), events)
        self._hook = role_hook(settings, events)
        self._server: grpc.aio.Server | None = None

    def _counts(self) -> WorkerCounts:
        return self._service.counts() + self.counts_here()

    def _ask_again(self) -> None:
        """Forget which next hops did not answer, here and in the workers."""
        self._delivery.forget_failures()
        self._service.flushed()

    async def start(self, watched: Sequence[socket.socket]) -> None:
        """Open the queue, meet the peer, answer on the Unix socket, and on those that are watched.

        Errors: those of `replicator.node.Node.start`; OSError and StartError when the socket cannot be made.
        """
        await self._node.start()
        await self.spool.memories.start()
        await self.spool.counters.start()
        self._server = self._bound(self._settings.node.admin_socket)
        await self._server.start()
        await self._watched.start(watched)
        self._runner.start()
        if self._hook is not None:
            self._begin_telling(self._hook)

    def _begin_telling(self, hook: RoleHook) -> None:
        """Tell the hook of the role that the node has by now, and of each that follows."""
        status = self._node.status()
        hook.changed(status.role, status.epoch, "the node has started")
        replication = self._settings.replication
        is_site = replication is not None and bool(replication.members)
        self._node.on_role(lambda role, epoch, why: hook.changed(role_name(role, is_site=is_site), epoch, why))

    def _bound(self, path: Path) -> grpc.aio.Server:
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        octets_max = self._settings.smtp.size_octets_max + MESSAGE_EXTRA_OCTETS
        server = grpc.aio.server(options=channel_options(octets_max))
        self._admin.register(server)
        queue_pb2_grpc.add_SpoolServicer_to_server(self._service, server)
        try:
            server.add_insecure_port(f"unix:{path}")
        except RuntimeError as error:  # gRPC's word for it: a path too long, a folder that may not be written
            raise StartError(f"cannot listen on {path}: {error}") from error
        path.chmod(0o660)
        return server

    async def stop(self) -> None:
        """Let attempts end, then close the queue."""
        await self._runner.stop()
        await self._watched.stop()
        if self._server is not None:
            await self._server.stop(1.0)
        await self.spool.counters.stop()
        await self.spool.memories.stop()
        epoch = self._node.status().epoch
        await self._node.stop()
        if self._hook is not None:
            await self._hook.stop(epoch)

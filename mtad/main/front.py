"""The half that meets clients: sessions, policy, through-delivery."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_network
from pathlib import Path

from mtad.admission.listener import ListenerPolicy
from mtad.config.forms import ClientLimit, Purpose, client_limit
from mtad.config.settings import Settings
from mtad.main.assembly import QueueIds, Shared, server_tls
from mtad.server import collaborators
from mtad.server.entrance import LMTP, MX, SUBMISSION, SUBMISSIONS
from mtad.server.limits import ContentLimits, Limits, SessionLimits, TimeLimits
from mtad.server.listener import Identity, Server
from mtad.server.rates import Act, Rate
from mtad.server.spill import Spill, SpillLimits
from mtad.spool.door import Door, Memories
from mtad.spool.notification import Notifier
from mtad.spool.remote import WorkerCounts
from mtad.startup import open_files
from mtad.telemetry.events import Events
from mtad.users.authenticator import Users

_ENTRANCES = {Purpose.SMTP: MX, Purpose.SUBMISSION: SUBMISSION, Purpose.SUBMISSIONS: SUBMISSIONS, Purpose.LMTP: LMTP}
SPILL_FOLDER = "spill"  # in node.data_dir
SPILL_TIMES = 4  # the content that files may hold, of what memory may
READ_BACK_PART = 4  # of that memory: what is read back from files at a time comes to so much less
STOP_SECONDS = 25.0  # the delivery deadline and a little


def limits_of(settings: Settings, *, files_max: int) -> Limits:
    """Return what one of the node's processes, with so many files, lets its clients use: its share of the limits."""
    smtp = settings.smtp
    share = max(1, settings.node.workers)
    of_clients = [limit for limit in map(client_limit, smtp.client_limits) if isinstance(limit, ClientLimit)]
    sessions_max = min(-(-smtp.sessions_max // share), open_files.sessions_for(files_max))
    sessions_per_client_max = [-(-limit.count // share) for limit in of_clients if not limit.seconds]
    rates = {Act(limit.what): Rate(-(-limit.count // share), limit.seconds) for limit in of_clients if limit.seconds}
    return Limits(
        sessions_max=sessions_max,
        sessions_per_client_max=min(sessions_per_client_max, default=sessions_max),
        rates=rates,
        exempt=tuple(ip_network(network) for network in smtp.exempt_networks),
        session=SessionLimits(recipients_max=smtp.recipients_max),
        content=ContentLimits(
            size_octets_max=smtp.size_octets_max, octets_in_flight_max=smtp.memory_octets_max // share
        ),
        seconds=TimeLimits(delivery_deadline=settings.delivery.deadline_seconds),
    )


def _spill(data_dir: Path, limits: Limits, events: Events) -> Spill:
    """Return where contents go that memory has no room for. Errors: OSError."""
    folder = data_dir / SPILL_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    octets_max = limits.content.octets_in_flight_max
    return Spill(folder, SpillLimits(SPILL_TIMES * octets_max, octets_max // READ_BACK_PART), events)


class Front:
    """The sessions' half of a node, in one process."""

    def __init__(
        self,
        settings: Settings,
        shared: Shared,
        queue_ids: QueueIds,
        door: Door,
        memories: Memories,
        events: Events,
    ) -> None:
        hostname, users = settings.node.hostname, settings.smtp.users
        rooms = collaborators.Collaborators(
            policy_now=lambda: ListenerPolicy(shared.policy.current),
            delivery=shared.delivery,
            door=door,
            memories=memories,
            signer=shared.signer,
            compose_dsn=Notifier(hostname, shared.signer.sign),
            queue_ids=queue_ids.source,
            authenticator=None if users is None else Users(users, events),
        )
        tls = server_tls(settings.smtp.tls_cert, settings.smtp.tls_key)
        identity = Identity(hostname, tls, domain=settings.node.domains[0], is_binary_offered=settings.smtp.binarymime)
        limits = limits_of(settings, files_max=open_files.files_max())
        self._server = Server(identity, limits, rooms, events, overflow=_spill(settings.node.data_dir, limits, events))
        self._delivery = shared.delivery
        self._entrances = [_ENTRANCES[listener.purpose] for listener in settings.smtp.listen]

    def counts(self) -> WorkerCounts:
        """Return what this process tells of itself."""
        server, recall = self._server, self._server.acceptance.recall
        return WorkerCounts(
            server.sessions_count, server.delivered_through_count, recall.answered_count, recall.in_doubt_count
        )

    async def start(self, sockets: Sequence[socket.socket]) -> None:
        """Serve on these sockets, which are those of `smtp.listen` in its order."""
        for listening, entrance in zip(sockets, self._entrances, strict=True):
            await self._server.start([listening], entrance)

    async def stop(self) -> None:
        """Take no more clients; let what is under way come to its end."""
        await self._server.stop(STOP_SECONDS)
        await self._delivery.close()

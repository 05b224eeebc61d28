"""A server of ours whose next hop is reached over the loopback interface by the real delivery."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from mtad.delivery.through import Delivery
from mtad.mail.route import Route, TlsLevel
from mtad.mail.verdict import Disposition, RetryPlan
from mtad.server.collaborators import Collaborators
from tests.fakes.server_rooms import FakePolicy, FakeRooms


@dataclass
class DeliveringRooms(FakeRooms):
    """The played rooms, but for the delivery."""

    real: Delivery | None = field(default=None, kw_only=True)

    def collaborators(self) -> Collaborators:
        played = super().collaborators()
        return played if self.real is None else replace(played, delivery=self.real)


def rooms_to(port: int, delivery: Delivery) -> DeliveringRooms:
    """Return rooms whose policy sends all mail to one port of loopback."""
    route = Route(hosts=("127.0.0.1",), port=port, tls=TlsLevel.NONE)
    return DeliveringRooms(FakePolicy(disposition=Disposition(route, RetryPlan())), real=delivery)

"""What a node tells of itself: its core's status, with what its links and its store know besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from replicator.core.authority import STANDING_BY, WitnessState
from replicator.core.status import Far, Link, Status
from replicator.core.values import SECOND, AckLevel, Protection, Role
from replicator.settings import NodeSettings
from replicator.status import FarStatus, NodeStatus, PeerStatus, WitnessStatus
from replicator.store.store import Store
from replicator.transport.link import Problem


def view(
    settings: NodeSettings,
    status: Status,
    problem: Callable[[int], Problem],
    witness_problem: str | None,
    store: Store,
    *,
    is_stopped: bool,
) -> NodeStatus:
    """Return what is told of a node.

    problem           of the way to a node
    witness_problem   None: there is no witness
    """
    waits = status.protection in (Protection.PROTECTED, Protection.SUSPECT)
    far = _far_statuses(status.far, problem)
    return NodeStatus(
        node=settings.node,
        name=settings.name,
        role="stopped" if is_stopped else role_name(status.role, is_site=bool(settings.follows)),
        epoch=status.authority.epoch,
        epoch_node=status.authority.node,
        position=status.vector,
        peer=_peer_status(status, settings.peer_name, problem(settings.peer_node)),
        durability=2 if waits and settings.level is AckLevel.REMOTE_DURABLE else 1,
        level=settings.level.value,
        protection=status.protection.name.lower(),
        witness=None
        if witness_problem is None
        else witness_status(settings.witness_name, status.witness, witness_problem),
        unprotected=status.unprotected,
        free_permille=store.free_permille(),
        totals=store.totals(),
        is_unfit=status.is_unfit,
        sites=() if settings.follows else far,
        follows=far if settings.follows else (),
    )


def role_name(role: Role, *, is_site: bool) -> str:
    """Return what users call a role: a site that stands by follows."""
    return "following" if is_site and role in STANDING_BY else role.name.lower()


def _peer_status(status: Status, name: str, problem: Problem) -> PeerStatus:
    """Return what is told of the peer. problem: of the way to it."""
    state, why = _way(status.link, status.why, problem)
    return PeerStatus(
        name=status.peer_name or name,
        state=state,
        role=status.peer_role.name.lower() if status.peer_name else "",
        position=status.peer_vector,
        lag_records=status.lag_records,
        lag_octets=status.lag_octets,
        lag_seconds=status.lag_seconds,
        problem=why,
    )


def _far_statuses(nodes: Iterable[Far], problem: Callable[[int], Problem]) -> tuple[FarStatus, ...]:
    """Return what is told of the nodes across a WAN."""
    statuses = []
    for far in nodes:
        state, why = _way(far.link, far.why, problem(far.node))
        role = "" if far.role is None else far.role.name.lower()
        statuses.append(
            FarStatus(far.name, state, role, far.is_fed, far.lag_records, far.lag_octets, far.lag_seconds, why)
        )
    return tuple(statuses)


def _way(link: Link, why: str, problem: Problem) -> tuple[str, str]:
    """Return the state of a link, and why it does not stand: who dials knows more than the member does."""
    if link in (Link.UP, Link.NONE) or problem.state == "connected":
        return str(link), why
    return str(link) if link is Link.REFUSED else problem.state, problem.text or why


def witness_status(name: str, state: WitnessState, problem: str) -> WitnessStatus:
    """Return what is told of the witness. problem: of its last call that failed."""
    heard_seconds = state.heard_ago / SECOND if state.heard_ago >= 0 else -1.0
    return WitnessStatus(name, state.word, heard_seconds, state.lease_left / SECOND, problem * (state.word == "silent"))


def grants_nothing(witness: WitnessStatus) -> str:
    """Say why a witness that was asked has not let this node own."""
    if witness.state == "silent":
        return f"the witness {witness.name} does not answer" + (f" ({witness.problem})" if witness.problem else "")
    return f"the witness {witness.name} grants it nothing while another's lease runs"

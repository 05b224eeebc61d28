"""Whether a node is healthy: what is wrong with it, whether it does its job, whether it takes mail."""

from __future__ import annotations

from mtad.pb import admin_pb2 as pb

WORKING_ROLES = frozenset({"active", "passive", "alone", "following"})
WISHED_SINGLE = frozenset({"remote-received", "local"})
SINGLE_COPY_STATES = frozenset({"degraded", "catchup"})
CLOSED_ROLE = "stopped"
_UNFIT = "the peer wrote what this version does not understand: it does not deliver until it is upgraded"
_FULL = "the queue's file or its disk is full (queue.full_percent): what must be queued gets 452"


def problems(status: pb.StatusReply) -> list[str]:
    """Say what keeps a node from being healthy; nothing when it does its job and new mail gets two copies."""
    found = []
    if status.role not in WORKING_ROLES:
        found.append(f"the role is {status.role}")
    if status.HasField("peer"):
        if status.peer.state in SINGLE_COPY_STATES:
            found.append(f"the peer {status.peer.node} is {status.peer.state}: new mail has one copy")
        if status.peer.problem:
            found.append(f"no link to {status.peer.node}: {status.peer.problem}")
    if status.members and not any(each.state == "up" for each in status.members):
        found.append(f"no member is connected: {status.members[0].problem}")
    if status.is_unfit:
        found.append(_UNFIT)
    if status.witness.problem:
        found.append(f"the witness {status.witness.name} does not answer: {status.witness.problem}")
    is_wished = status.peer.level in WISHED_SINGLE and status.peer.state == "protected"  # they are on their way
    if status.unprotected_messages and not is_wished:
        found.append(_counted(status.unprotected_messages, "has one copy only", "have one copy only"))
    if status.policy.errors:
        found.append(f"the policy is broken, and an older one in effect: {policy_error(status.policy.errors[0])}")
    if status.is_full:
        found.append(_FULL)
    if status.damaged_messages:
        one = "is damaged here and has not come back from the peer"
        many = "are damaged here and have not come back from the peer"
        found.append(_counted(status.damaged_messages, one, many))
    return found


def _counted(number: int, one: str, many: str) -> str:
    return f"1 message {one}" if number == 1 else f"{number} messages {many}"


def failings(status: pb.StatusReply) -> list[str]:
    """Say why a node does not do its job in its role. What others fail at is none of it: a pair whose link is cut has
    two nodes that do their job, and nobody must take both out of use."""
    found = [] if status.role in WORKING_ROLES else [f"the role is {status.role}"]
    return [*found, _UNFIT] if status.is_unfit else found


def why_not_ready(status: pb.StatusReply) -> list[str]:
    """Say why a node takes no mail now."""
    found = []
    if status.role == CLOSED_ROLE:
        found.append("the queue is closed")
    if not status.workers:
        found.append("no process takes clients")
    if status.is_full:
        found.append(_FULL)
    return found


def policy_error(error: pb.PolicyError) -> str:
    """Say what is wrong with a policy, and where."""
    return f"{error.file}:{error.line}:{error.column}: {error.text}"

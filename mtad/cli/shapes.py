"""The JSON shapes of mtactl: promises to scripts. `queue list` is `postqueue -j`'s, with three members more."""

from __future__ import annotations

import base64
from typing import Any

from mtad.admin.health import problems
from mtad.pb import admin_pb2 as pb


def status_object(status: pb.StatusReply) -> dict[str, Any]:
    """Return `mtactl status --json`; what this version does not have is null or empty."""
    peer, witness = status.peer, status.witness
    return {
        "node": status.node,
        "role": status.role,
        "epoch": status.epoch,
        "position": status.position,
        "peer": {
            "node": peer.node,
            "role": peer.role,
            "state": peer.state,
            "position": peer.position,
            "lag_records": peer.lag_records,
            "lag_octets": peer.lag_octets,
            "lag_seconds": peer.lag_seconds,
            "durability": peer.durability,
            "level": peer.level,
            "problem": peer.problem,
        }
        if status.HasField("peer")
        else None,
        "witness": {
            "name": witness.name,
            "state": witness.state,
            "seconds": witness.seconds,
            "problem": witness.problem,
        }
        if status.HasField("witness")
        else None,
        "sites": [far_object(each) for each in status.sites],
        "members": [far_object(each) for each in status.members],
        "bucket": None,
        "lease_seconds": status.lease_seconds if status.HasField("witness") else None,
        "queue": {
            "messages": status.queue.messages,
            "recipients": status.queue.recipients,
            "octets": status.queue.octets,
            "oldest_seconds": status.queue.oldest_seconds,
        },
        "policy": policy_object(status.policy),
        "sessions": status.sessions,
        "delivered_through": status.delivered_through,
        "retries_answered": status.retries_answered,
        "retries_in_doubt": status.retries_in_doubt,
        "unprotected_messages": status.unprotected_messages,
        "damaged_messages": status.damaged_messages,
        "uptime_seconds": status.uptime_seconds,
        "version": status.version,
        "problems": problems(status),
    }


def policy_object(policy: pb.Policy) -> dict[str, Any]:
    """Return `mtactl reload --json`; the errors are of a policy that was to take the place of the one in effect."""
    errors = [
        {"file": each.file, "line": each.line, "column": each.column, "text": each.text} for each in policy.errors
    ]
    return {"ok": not errors, "loaded": policy.loaded, "errors": errors}


def far_object(far: pb.Far) -> dict[str, Any]:
    """Return one line of `mtactl site list --json`."""
    return {
        "node": far.node,
        "role": far.role,
        "state": far.state,
        "is_fed": far.is_fed,
        "lag_records": far.lag_records,
        "lag_octets": far.lag_octets,
        "lag_seconds": far.lag_seconds,
        "problem": far.problem,
    }


def entry_object(entry: pb.QueueEntry) -> dict[str, Any]:
    """Return one line of `mtactl queue list --json`; `next_attempt` is null when none is planned."""
    return {
        "queue_name": entry.queue_name,
        "queue_id": entry.queue_id,
        "arrival_time": entry.arrival_time,
        "message_size": entry.message_size,
        "forced_expire": entry.forced_expire,
        "sender": entry.sender,
        "recipients": [
            {"address": recipient.address, "delay_reason": recipient.delay_reason}
            if recipient.delay_reason
            else {"address": recipient.address}
            for recipient in entry.recipients
        ],
        "next_attempt": entry.next_attempt or None,
        "attempts": entry.attempts,
        "position": entry.position,
        "queue": entry.queue,
        "priority": entry.priority,
    }


def message_object(shown: pb.QueueShowReply, *, has_octets: bool) -> dict[str, Any]:
    """Return `mtactl queue show --json`; octets are in base 64, because mail need not be text."""
    taken = {
        **entry_object(shown.entry),
        "client": shown.client,
        "ret": shown.ret,
        "envid": shown.envid,
        "history": [
            {
                "address": recipient.address,
                "state": recipient.state,
                "notify": recipient.notify,
                "original_recipient": recipient.original,
                "delay_told": recipient.delay_told,
                "deliver_by": recipient.deliver_by,
                "late": recipient.late,
                "route": recipient.route,
                "attempts": [
                    {
                        "at": attempt.at,
                        "node": attempt.node,
                        "result": attempt.result,
                        "next_hop": attempt.next_hop,
                        "reply": attempt.reply,
                    }
                    for attempt in recipient.attempts
                ],
            }
            for recipient in shown.history
        ],
    }
    if has_octets:
        taken["octets_base64"] = base64.b64encode(shown.octets).decode("ascii")
    return taken


def verify_object(reply: pb.VerifyReply) -> dict[str, Any]:
    """Return `mtactl replica verify --json`."""
    return {
        "equal": not reply.refused and not reply.differences,
        "messages": reply.messages,
        "differences": [{"queue_id": each.queue_id, "what": each.what} for each in reply.differences],
        "is_cut_short": reply.is_cut_short,
        "octets": reply.octets,
        "seconds": reply.seconds,
        "refused": reply.refused,
    }


def resync_object(reply: pb.ResyncReply) -> dict[str, Any]:
    """Return `mtactl replica resync --json`."""
    return {
        "done": not reply.refused,
        "refused": reply.refused,
        "risk": reply.risk,
        "messages": reply.messages,
        "differences": [{"queue_id": each.queue_id, "what": each.what} for each in reply.differences],
        "is_cut_short": reply.is_cut_short,
        "fetched": reply.fetched,
        "set_aside": reply.set_aside or None,
        "seconds": reply.seconds,
    }

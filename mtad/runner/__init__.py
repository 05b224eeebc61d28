"""Redelivery of what is queued: only by the node that owns the queue."""

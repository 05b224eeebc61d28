"""Arithmetic of version vectors: how a member says what it has.

A vector maps each branch to the highest seq that is applied and durable, with everything below it: positions of
several branches never need to be compared with one another. What a vector does not name is at 0.
"""

from __future__ import annotations

from replicator.core.values import Branch, Dot, Vector


def covers(vector: Vector, dot: Dot) -> bool:
    """Tell whether the record of that name is in what the vector stands for."""
    return vector.get(dot.branch, 0) >= dot.seq


def covers_all(vector: Vector, other: Vector) -> bool:
    """Tell whether nothing that `other` stands for is missing."""
    return all(vector.get(branch, 0) >= seq for branch, seq in other.items())


def raise_to(vector: Vector, other: Vector) -> None:
    """Raise `vector` in place to the pointwise maximum of the two."""
    for branch, seq in other.items():
        if seq > vector.get(branch, 0):
            vector[branch] = seq


def minimum(vector: Vector, other: Vector) -> Vector:
    """Return what both stand for."""
    return {branch: min(seq, other[branch]) for branch, seq in vector.items() if branch in other}


def beyond(vector: Vector, other: Vector) -> Vector:
    """Return what of `vector` the other does not stand for: the branches that are further there."""
    return {branch: seq for branch, seq in vector.items() if seq > other.get(branch, 0)}


def show(vector: Vector) -> str:
    """Write a vector for the log, oldest branch first as it was learned."""
    return " ".join(f"{_name(branch)}:{seq}" for branch, seq in vector.items()) or "empty"


def _name(branch: Branch) -> str:
    return f"{branch.node}/{branch.incarnation:x}"

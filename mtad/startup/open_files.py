"""How many files a process may have open, and how many sessions that is enough for (getrlimit(2))."""

from __future__ import annotations

import contextlib
import resource

FILES_BESIDE_SESSIONS = 768  # lookups in DNS, listeners, the store, links to other processes and nodes, modules
FILES_PER_SESSION = 2  # the client's connection, and the one to its next hop


def raise_limit() -> None:
    """Allow this process and its children as many as the system lets them have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # what is there stays; the start-up check says what it allows
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def files_max() -> int:
    """Return how many files this process may have open once its limit is raised."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def files_for(sessions_count: int) -> int:
    """Return how many files a process needs for so many sessions."""
    return FILES_BESIDE_SESSIONS + FILES_PER_SESSION * sessions_count


def sessions_for(files: int) -> int:
    """Return how many sessions a process can hold with so many files; at least one."""
    return max(1, (files - FILES_BESIDE_SESSIONS) // FILES_PER_SESSION)

"""What all tests share: property tests search the same examples in every run, and files are in memory.

A red run can be repeated. What a test writes to a disk need not outlive a power failure, and to wait for a disk at each
commit takes longer than all else; whoever wants a disk says so by TMPDIR.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

MEMORY = Path("/dev/shm")
ROOM_OCTETS_MIN = 3 << 30  # several times of what a run ever has there at once

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_OCTETS_MIN:
    os.environ["TMPDIR"] = str(MEMORY)  # for the processes that tests start too
    tempfile.tempdir = None  # it is read once

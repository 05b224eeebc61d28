"""Loaded by every Python process that has this folder in PYTHONPATH: steps the wall clock that the program reads.

The file that MTAD_FALSE_CLOCK names says by how many seconds. Clocks that run, and do not tell the time of day, stay
as they are. It is done here rather than beneath the C library, because what does it there (libfaketime) disturbs the
timers of gRPC and of Python too, which no clock that is stepped does.
"""

import os
import time
from pathlib import Path

LOOK_SECONDS = 0.2

_file = Path(os.environ["MTAD_FALSE_CLOCK"])
_true_time_ns = time.time_ns
_looked = -LOOK_SECONDS
_step_ns = 0


def _false_time_ns() -> int:
    global _looked, _step_ns
    now = time.monotonic()
    if now - _looked >= LOOK_SECONDS:
        _looked = now
        text = _file.read_text().strip()
        _step_ns = int(float(text) * 1e9) if text else _step_ns
    return _true_time_ns() + _step_ns


def _false_time() -> float:
    return _false_time_ns() / 1e9


time.time_ns = _false_time_ns
time.time = _false_time

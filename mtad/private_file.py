"""Who may see a file that holds a secret: its owner, and its group, for the daemon's reads what root owns."""

from __future__ import annotations

import stat

_OTHERS_MAY = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


def is_open_to_others(mode: int) -> bool:
    """Tell whether somebody else may read or change a file of this mode, or who may read it may change it."""
    return bool(mode & _OTHERS_MAY)

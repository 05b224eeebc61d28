"""The shortest configuration that there is, and the settings that a text states."""

from __future__ import annotations

from pathlib import Path

from mtad.config.read import read_text
from mtad.config.settings import Settings

FILE = Path("/etc/mtad/mtad.toml")
MINIMAL = """\
[node]
name = "alpha"
id = 1
hostname = "mx1.example.org"
domains = ["example.org"]

[smtp]
listen = ["127.0.0.1:25"]
"""


def settings_of(text: str, file: Path = FILE) -> Settings:
    """Return the settings that a text without mistakes states."""
    settings = read_text(text, file)
    assert isinstance(settings, Settings), str(settings)
    return settings

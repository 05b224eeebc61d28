"""The version of this program, as its installation says."""

from importlib.metadata import version

VERSION = version("mtad")

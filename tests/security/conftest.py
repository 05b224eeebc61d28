"""The servers of the dialogs, for those who try to deceive them."""

from tests.dialog.conftest import build as build

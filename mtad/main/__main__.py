"""`python -m mtad.main`: the command `mtad`."""

from mtad.main.command import main

main()

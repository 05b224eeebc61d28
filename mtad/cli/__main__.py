"""`python -m mtad.cli`: the command `mtactl`."""

from mtad.cli.mtactl import main

main()

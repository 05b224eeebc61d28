"""`python -m mtad.main`: the command `mtad`."""

from mtad.main.launch import main

main()

"""Our Sieve engine against Pigeonhole's: random scripts and messages, whose actions must be the same.

`python -m tests.differential --cases 2000` is the long way; a slice of it is among the tests. What is known to differ
the generator leaves out, and `differences.py` pins, with both answers and the reason.
"""

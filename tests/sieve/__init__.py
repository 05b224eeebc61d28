"""Test files in the test-suite language for all that scripts may say; `mtactl sieve test tests/sieve` plays them."""

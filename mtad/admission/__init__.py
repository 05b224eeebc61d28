"""Decides at each stage of a session and of delivery, as the Sieve policy says."""

"""Counts what policies limit: how often, how much at a time, and who has come for the first time."""

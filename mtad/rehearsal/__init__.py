"""Plays scripts and policies before they are used: test files in Pigeonhole's test-suite language, and dialogs."""

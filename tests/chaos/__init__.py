"""Real faults on real processes, and a checker that counts (docs/explanation/testing-faults.md)."""

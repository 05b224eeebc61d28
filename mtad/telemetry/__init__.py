"""Events, metrics and traces: what happened, one line a decision."""

"""What scripts may say, one module a capability: each gives the rows that it adds to the spec table."""

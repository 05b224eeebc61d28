"""Real mail programs as peers: private instances on loopback, started and ended by the tests alone."""

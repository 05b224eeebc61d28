"""Maps: what a policy looks up by a key, in memory, in files, in other programs."""

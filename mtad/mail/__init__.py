"""Values of mail: addresses, envelopes, contents, replies, outcomes. Nothing here does I/O."""

"""The replication engine: items with parts, kept on several members, merged and never discarded.

It knows nothing of mail. An item has a key, an immutable meta and blob, and parts whose values rise in a lattice.
"""

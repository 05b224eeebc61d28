"""What earlier versions wrote and said, kept as it was: today's code must read it and be understood by them.

A folder for each version, made when it was the newest and never changed since: its schemas, the octets of samples of
all that it says and stores, a store, and a member written from the schema alone. When a version is to follow, record
the present one the same way first. `samples.py` and `mail.py` say what the octets mean, in today's words.
"""

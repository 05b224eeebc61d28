"""The only door to the queue: what is committed here is on two disks, or the answer says that it is not."""

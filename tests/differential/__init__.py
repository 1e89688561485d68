"""Differential tests: the same scenario on our server and on the reference, scrubbed outcomes equal.

Compares what clients can see over the wire. Speed, storage and logs are no part of it.
"""

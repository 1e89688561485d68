"""Cluster: three nodes on one PostgreSQL under load; one of them is killed, paused, cut off or asked to go.

Load, log and checker are those of chaos. New here: a network that can be cut, and how long a takeover took.
"""

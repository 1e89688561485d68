"""End-to-end tests: official clients and raw gRPC against real server processes.

Nothing here links against the server: every test starts a binary by path and talks to it over the wire.
"""

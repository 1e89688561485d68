"""End-to-end tests: official clients and raw gRPC against real server processes.

Nothing here links against the server: every test starts a binary by path and talks to it over the wire.
"""

import os

# Servers are spawned while channels are open; the child execs at once, so gRPC's fork handlers have nothing to do.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

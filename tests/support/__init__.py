"""What every end-to-end test needs: server processes, raw gRPC, SDK clients, bounded waiting.

Deliberately knows nothing of scenarios, faults or comparisons.
"""

import os

# Servers are spawned while channels are open; the child execs at once, so gRPC's fork handlers have nothing to do.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")

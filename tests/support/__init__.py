"""What every end-to-end test needs: server processes, raw gRPC, SDK clients, bounded waiting.

Deliberately knows nothing of scenarios, faults or comparisons.
"""

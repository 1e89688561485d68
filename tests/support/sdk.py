"""The official SDK, set up the same way everywhere: fixed identities, no sandbox, no worker heartbeats.

Only connection and worker settings; workflows live beside the tests that use them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from temporalio.client import Client
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.support.calls import note_calls_of

_runtime: Runtime | None = None


def runtime() -> Runtime:
    """One runtime for the process, without the worker-heartbeat loop that would poll a queue of its own."""
    global _runtime
    if _runtime is None:
        _runtime = Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))), worker_heartbeat_interval=None)
    return _runtime


def quiet() -> None:
    """Failures are what these tests provoke: their log lines say nothing."""
    logging.getLogger("temporalio").setLevel(logging.CRITICAL)


async def connect(address: str, identity: str = "client", namespace: str = "default") -> Client:
    """An SDK client."""
    client = await Client.connect(address, namespace=namespace, identity=identity, runtime=runtime())
    note_calls_of(client.service_client)
    return client


def worker(client: Client, queue: str, workflows: Sequence[type] = (), activities: Sequence[Callable[..., Any]] = (), **options: Any) -> Worker:
    """An SDK worker with few polls, so that many fit beside each other."""
    settings: dict[str, Any] = {
        "identity": "worker",
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "max_concurrent_workflow_task_polls": 2,
        "max_concurrent_activity_task_polls": 2,
        "graceful_shutdown_timeout": timedelta(seconds=0),
    }
    return Worker(client, task_queue=queue, workflows=workflows, activities=activities, **{**settings, **options})

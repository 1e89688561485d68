"""Namespaces and the three info calls: register, describe, update, list; what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from temporalio.api.workflowservice import v1 as ws

from tests.differential.scenario import Stage, scenario
from tests.support.rpc import Raw
from tests.support.wait import until

DAY = timedelta(days=1)


def register(stage: Stage, name: str, **fields: Any) -> Any:
    base: dict[str, Any] = {"namespace": name, "workflow_execution_retention_period": DAY}
    return stage.raw.call("RegisterNamespace", ws.RegisterNamespaceRequest(**{**base, **fields}))


def describe(stage: Stage, **fields: Any) -> Any:
    return stage.raw.call("DescribeNamespace", ws.DescribeNamespaceRequest(**fields))


def update(stage: Stage, name: str, **fields: Any) -> Any:
    return stage.raw.call("UpdateNamespace", ws.UpdateNamespaceRequest(namespace=name, **fields))


@scenario
async def registered_and_used(stage: Stage) -> None:
    name = stage.id
    await stage.keep_call("register", register(stage, name, description="words", owner_email="me@example.com", data={"k": "v"}))
    await stage.keep_call("register again", register(stage, name))

    async def usable() -> Any:
        return await describe(stage, namespace=name)

    described = await until(usable, "registered namespace")
    stage.keep("described", described)
    await stage.keep_call("by id", describe(stage, id=described.namespace_info.id))
    await stage.keep_call("update", update(stage, name, update_info={"description": "other words", "data": {"k2": "v2"}}, config={"workflow_execution_retention_ttl": timedelta(days=3)}))
    await stage.keep_call("described after", describe(stage, namespace=name))
    own = Raw(stage.client.service_client.config.target_host, name)

    async def started() -> Any:
        try:
            return await own.start(stage.id)
        except Exception:
            return None

    await until(started, "start in the new namespace")
    await stage.keep_call("there", own.describe(stage.id))
    await stage.keep_call("not here", stage.raw.describe(stage.id))
    await own.terminate(stage.id)
    await own.close()


@scenario
async def refused(stage: Stage) -> None:
    await stage.keep_call("default again", register(stage, "default"))
    await stage.keep_call("no name", register(stage, ""))
    await stage.keep_call("no retention", register(stage, stage.id + "-a", workflow_execution_retention_period=None))
    await stage.keep_call("short retention", register(stage, stage.id + "-b", workflow_execution_retention_period=timedelta(minutes=1)))
    await stage.keep_call("negative retention", register(stage, stage.id + "-c", workflow_execution_retention_period=timedelta(days=-1)))
    await stage.keep_call("long name", register(stage, "n" * 1001))
    await stage.keep_call("nul", register(stage, "a\x00b"))
    await stage.keep_call("describe nothing", describe(stage))
    await stage.keep_call("describe unknown", describe(stage, namespace="nobody"))
    await stage.keep_call("describe unknown id", describe(stage, id="00000000-0000-0000-0000-000000000001"))
    await stage.keep_call("describe bad id", describe(stage, id="not an id"))
    await stage.keep_call("update unknown", update(stage, "nobody"))
    await stage.keep_call("update nothing", update(stage, ""))
    await stage.keep_call("update to short retention", update(stage, "default", config={"workflow_execution_retention_ttl": timedelta(minutes=1)}))


@scenario
async def default_described(stage: Stage) -> None:
    """But for the search attributes that other scenarios add to it."""
    answer = await describe(stage, namespace="default")
    answer.config.custom_search_attribute_aliases.clear()
    stage.keep("default", {"answer": stage.scrubber.message(answer)})


@scenario
async def listed(stage: Stage) -> None:
    answer = await stage.raw.call("ListNamespaces", ws.ListNamespacesRequest(page_size=100))
    names = {one.namespace_info.name for one in answer.namespaces}
    stage.keep("default is there", "default" in names)


@scenario
async def system_info(stage: Stage) -> None:
    stage.keep("system", await stage.raw.call("GetSystemInfo", ws.GetSystemInfoRequest()))
    cluster = await stage.raw.call("GetClusterInfo", ws.GetClusterInfoRequest())
    stage.keep("fields", sorted(field.name for field, _ in cluster.ListFields()))
    stage.keep("clients", dict(cluster.supported_clients))

"""The coverage page is what the recordings say, and has a row for everything."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.operatorservice.v1 import OperatorServiceStub
from temporalio.api.workflowservice.v1 import WorkflowServiceStub

from tests.differential.coverage import PAGE, page, rpcs, texts


class Channel:
    """Remembers the names of the methods that a stub asks for."""

    def __init__(self) -> None:
        self.methods: set[str] = set()

    def unary_unary(self, path: str, *_: object, **__: object) -> None:
        self.methods.add(path.rpartition("/")[2])


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.differential.coverage"


def test_every_event_type_cause_and_rpc_has_a_row() -> None:
    text = PAGE.read_text()
    for name in [*EventType.keys()[1:], *WorkflowTaskFailedCause.keys()[1:]]:
        assert f"| `{name.removeprefix('EVENT_TYPE_').removeprefix('WORKFLOW_TASK_FAILED_CAUSE_')}` |" in text
    channel = Channel()
    WorkflowServiceStub(channel)  # type: ignore[arg-type]
    OperatorServiceStub(channel)  # type: ignore[arg-type]
    assert {name for name, _, _ in rpcs()} >= channel.methods


def test_texts_are_found_at_any_depth() -> None:
    assert list(texts({"a": [{"b": "c"}, 1], "d": "e"})) == ["c", "e"]

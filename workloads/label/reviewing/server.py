"""Label Studio's API, by its SDK → the few things that publish and collect need. The only module that speaks to it.

Every request is tried again while the server is silent, busy or broken; a token that is refused is read anew from its
file, where a renewal puts it. The SDK's own tries are off: it sends an import again without asking whether the first
one went through. Here each try of an import begins by asking what stands.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import httpx
from label_studio_sdk.base_client import LabelStudioBase as Client  # label_studio_sdk's own name brings pandas along
from label_studio_sdk.core.api_error import ApiError

from workloads.errors import ConfigError, printable
from workloads.label.patience import Patience, insist
from workloads.label.reviewing.answers import NOT_FOUND, UNAUTHORIZED, judged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from workloads.label.reviewing.forms import Json
    from workloads.label.site import LabelStudio
    from workloads.label.stages import Tell

R = TypeVar("R")
EXPORT_S = 900.0  # the server makes the whole file before it sends a byte
PAGE = 500
# A slow import may have got its numbers before what was recorded after it: so far back strays are looked for.
BACK = 500


@dataclass(frozen=True)
class Project:
    """One of Label Studio's projects, as far as it concerns us."""

    id: int
    config: str
    model: str  # whose predictions people are shown


@dataclass(frozen=True)
class Task:
    """One of its tasks. `models`: that predicted it, in the order in which they did; `touched`: somebody saw it."""

    id: int
    item: str
    models: tuple[str, ...] = field(default=())
    touched: bool = False


class Server:
    """A Label Studio. Raises ServiceError for what it refuses, and when it stays silent for long."""

    def __init__(self, at: LabelStudio, tell: Tell, patience: Patience | None = None) -> None:
        self._at, self._tell, self._patience = at, tell, patience or Patience()
        self._client: Client | None = None

    def find(self, mark: str) -> Project | None:
        """The project whose description has the line `mark`; the oldest, should there be several."""
        return self._insist("looking for the project", lambda: self._find(mark))

    def make(self, title: str, mark: str, config: str) -> Project:
        """A project with that mark; one that stands already is taken."""

        def attempt() -> Project:
            if found := self._find(mark):
                return found
            # In the order of their numbers, which is the order of import: `order` decides, not the server.
            self._api.projects.create(
                title=title, description=mark, label_config=config, sampling="Sequential sampling",
                show_collab_predictions=True,
            )  # fmt: skip
            made = self._find(mark)
            assert made, "a project that was just made is there"  # noqa: S101
            return made

        return self._insist("making the project", attempt)

    def configure(self, project: Project, config: str) -> None:
        """Replace the labelling config."""
        self._insist("setting the labels", lambda: self._api.projects.update(project.id, label_config=config))

    def show(self, project: Project, model: str) -> None:
        """Let people see the predictions of that model, of which there must be one."""
        self._insist("choosing the model", lambda: self._api.projects.update(project.id, model_version=model))

    def tasks(self, project: Project, numbers: Sequence[int]) -> list[Task]:
        """Those of these that still stand; at most PAGE of them."""
        query = {"selectedItems": {"all": False, "included": list(numbers[:PAGE])}}
        return self._insist("reading tasks", lambda: self._tasks(project, query)) if numbers else []

    def tasks_after(self, project: Project, number: int) -> list[Task]:
        """Every task with a greater number, the oldest first; from 0 on it is all of them."""
        return self._insist("reading tasks", lambda: self._tasks_after(project, number))

    def waiting(self, project: Project) -> int:
        """How many tasks nobody has reviewed or skipped."""
        none = [_equals("total_annotations", 0), _equals("cancelled_annotations", 0)]
        query = json.dumps({"filters": {"conjunction": "and", "items": none}})

        def attempt() -> int:
            page = self._api.tasks.list(project=project.id, fields="task_only", include="id", page_size=1, query=query)
            return int(page.response.total) if page.response else 0

        return self._insist("counting tasks", attempt)

    def stand(self, project: Project, forms: Sequence[Json], after: int) -> dict[str, Task]:
        """See that each of these stands there once, among tasks with numbers greater than `after`; returns them."""

        def attempt() -> dict[str, Task]:
            there = _by_item(self._tasks_after(project, after))
            if missing := [form for form in forms if form["data"]["item"] not in there]:
                self._api.projects.import_tasks(id=project.id, request=missing)
                there = _by_item(self._tasks_after(project, after))
            return there

        return self._insist("importing tasks", attempt)

    def predict(self, project: Project, forms: Sequence[Json]) -> None:
        """See that each task has its prediction, once a model."""

        def attempt() -> None:
            query = {"selectedItems": {"all": False, "included": [form["task"] for form in forms]}}
            there = {task.id: task.models for task in self._tasks(project, query)}
            missing = [
                form for form in forms if form["task"] in there and form["model_version"] not in there[form["task"]]
            ]
            if missing:
                self._api.projects.import_predictions(project.id, request=missing)

        self._insist("importing predictions", attempt)

    def remove(self, task: Task) -> None:
        """Delete a task; one that is gone already is gone."""
        self._insist("removing a task", lambda: self._api.tasks.delete(str(task.id)), gone=None)

    def prediction(self, number: int) -> Json | None:
        """One prediction; None when it is gone."""

        def attempt() -> Json:
            found: Json = self._api.predictions.get(number).model_dump()
            return found

        return self._insist("reading a prediction", attempt, gone=None)

    def export(self, project: Project) -> list[Json]:
        """Every task that somebody reviewed or skipped, with all that people said of it."""

        def attempt() -> list[Json]:
            pieces = self._api.projects.exports.download_sync(
                project.id, export_type="JSON", request_options={"timeout_in_seconds": int(EXPORT_S)}
            )
            whole: list[Json] = json.loads(b"".join(pieces))
            return whole

        return self._insist("exporting reviews", attempt)

    @property
    def _api(self) -> Client:
        if self._client is None:
            self._client = Client(
                base_url=self._at.url, api_key=_token(self._at), max_retries=0, timeout=self._patience.answer_s
            )  # fmt: skip
        return self._client

    def _find(self, mark: str) -> Project | None:
        def page(number: int) -> Any:
            return self._api.projects.list(page=number, page_size=PAGE, include="id,description")

        found = [each.id for each in _all(page) if mark in (each.description or "").splitlines()]
        if not found:
            return None
        project = self._api.projects.get(min(found))
        return Project(project.id, project.label_config or "", project.model_version or "")

    def _tasks(self, project: Project, query: Json) -> list[Task]:
        """The first page of those that the query means."""
        wanted = json.dumps({**query, "ordering": ["tasks:id"]})
        found = self._api.tasks.list(project=project.id, fields="all", page=1, page_size=PAGE, query=wanted)
        return [_task(each.model_dump()) for each in found.items or []]

    def _tasks_after(self, project: Project, number: int) -> list[Task]:
        """By number and not by page: a task that somebody deletes meanwhile moves no other one out of sight."""
        found: list[Task] = []
        while True:
            last = found[-1].id if found else number
            greater = {"filter": "filter:tasks:id", "operator": "greater", "type": "Number", "value": last}
            page = self._tasks(project, {"filters": {"conjunction": "and", "items": [greater]}})
            found += page
            if len(page) < PAGE:
                return found

    def _insist(self, doing: str, request: Callable[[], R], **gone: Any) -> R:
        """The answer; `gone` is what a missing thing counts as, where that is no fault."""

        def attempt() -> R:
            try:
                return request()
            except ApiError as error:
                if error.status_code == NOT_FOUND and gone:
                    return gone["gone"]  # type: ignore[no-any-return]
                if error.status_code == UNAUTHORIZED:
                    self._client = None  # the next try reads the token's file
                raise judged(error.status_code, error.body, doing, self._at) from error
            except (httpx.TransportError, httpx.StreamError, json.JSONDecodeError) as error:
                raise judged(None, type(error).__name__, doing, self._at) from error

        def notice(why: str, pause: float) -> None:
            self._tell(0, None, f"{doing}: {why.splitlines()[0]}; trying again in {pause:.0f} s")

        return insist(attempt, self._patience, notice)


def _all(page: Callable[[int], Any]) -> Iterator[Any]:
    """What is on all pages; Label Studio answers 404 where the last one was full and another is asked for."""
    number, found = 1, list(page(1).items)
    while found:
        yield from found
        if len(found) < PAGE:
            return
        number += 1
        try:
            found = list(page(number).items)
        except ApiError as error:
            if error.status_code != NOT_FOUND:
                raise
            return


def _token(at: LabelStudio) -> str:
    try:
        token = at.token_file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{at.token_file}: {printable(str(error))}", next_step="see label_studio.token_file."
        ) from error
    if not token:
        raise ConfigError(f"{at.token_file} is empty", next_step="put an API token from the account page into it.")
    return token


def _task(form: Json) -> Task:
    models = tuple(
        each["model_version"] or "" for each in sorted(form["predictions"] or [], key=lambda each: each["id"])
    )
    touched = bool(form["total_annotations"] or form["cancelled_annotations"])
    return Task(form["id"], str((form["data"] or {}).get("item")), models, touched)


def _by_item(tasks: Iterable[Task]) -> dict[str, Task]:
    """The oldest task of each item."""
    found: dict[str, Task] = {}
    for task in tasks:
        found.setdefault(task.item, task)
    return found


def _equals(name: str, value: int) -> Json:
    return {"filter": f"filter:tasks:{name}", "operator": "equal", "type": "Number", "value": value}

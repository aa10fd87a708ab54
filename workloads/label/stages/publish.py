"""items.jsonl, predictions.jsonl → tasks in Label Studio, each once; published.jsonl says which.

At most publish.batch tasks wait for people at a time: what they have finished is made up for. While a campaign runs,
its rounds take the batches' place (workloads.label.campaigning). Tasks that nobody has looked at get the prediction of
the model that serves now. Whatever an earlier run sent and did not live to write down is found again by its item's id,
which stands in the task's data.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from workloads.errors import ConfigError, ServiceError
from workloads.label.records import Arm, Document, Item, Prediction, Published
from workloads.label.reviewing import forms, labelling, mark
from workloads.label.reviewing.order import ordered
from workloads.label.reviewing.server import BACK, Project, Server, Task

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from workloads.label.reviewing.labelling import Labelling
    from workloads.label.stages import Context, Report

FILE = "published.jsonl"
AT_ONCE = 50  # tasks a request: about a second's work for the server


def run(context: Context) -> Report:
    """See that the next items stand; raises ConfigError before anything is sent, ServiceError while sending."""
    if context.site.label_studio is None:
        raise ConfigError("no Label Studio is described", next_step="name it in the site file: label_studio.url.")
    config = labelling.load(context.params)
    publishing = Publishing(context, Server(context.site.label_studio, context.tell), config)
    if not publishing.items:
        return {"published": 0, "state": "nothing to publish"}
    due = None
    if context.params.campaign:
        from workloads.label.campaigning import turn  # asks models, which takes their libraries

        due = turn.due(context)
    project = publishing.project()
    found = publishing.reconcile(project)
    refreshed = publishing.refresh(project)
    waiting = publishing.server.waiting(project)
    most = len(due.items) if due else context.params.publish.batch - waiting
    sent = publishing.send(project, most, due.items if due else publishing.items)
    publishing.reconcile(project)
    shown = publishing.choose(project)
    left = len(publishing.items.keys() - publishing.published.keys())
    return {
        "published": sent, "found again": found, "predictions renewed": refreshed, "waiting": waiting + sent,
        "in all": len(publishing.published), "not yet": left, "model": shown or "none",
        **({"campaign": due.told} if due else {}),
    }  # fmt: skip


class Publishing:
    """One run's work. `published` and the file are kept alike."""

    def __init__(self, context: Context, server: Server, config: Labelling) -> None:
        self.context, self.server, self.config = context, server, config
        work = context.work
        self.items = {item.id: item for item in work.read(Item, "items.jsonl")}
        self.predictions = {each.item: each for each in work.read(Prediction, "predictions.jsonl")}
        self.documents = {each.id: each.path for each in work.read(Document, "documents.jsonl")}
        self.published = {each.item: each for each in work.read(Published, FILE)}

    def project(self) -> Project:
        """The project in Label Studio, with the config of labels.xml; made when nothing was published yet."""
        params = self.context.params
        project = self.server.find(mark(params.name))
        if project is None and self.published:
            raise ServiceError(
                f"Label Studio has no project marked {mark(params.name)!r}, which held {len(self.published)} items",
                usually="it was deleted, its description was changed, or this is another server.",
                next_step=f"put that line into its description; to begin anew, move {FILE} away.",
            )
        if project is None:
            return self.server.make(params.publish.title or params.name, mark(params.name), self.config.xml)
        if project.config.strip() != self.config.xml:
            self.server.configure(project, self.config.xml)
        return project

    def unpublished(self, wanted: Collection[str]) -> list[Item]:
        """What has not been sent of these, in the order in which it should be."""
        left = (item for name, item in self.items.items() if name in wanted and name not in self.published)
        return ordered(left, self.predictions)

    def reconcile(self, project: Project) -> int:
        """Write down what stands without a record; of an item that stands twice, leave what people have touched."""
        known = {each.task: each.item for each in self.published.values()}
        strays = [
            task for task in self.server.tasks_after(project, max(known, default=0) - BACK)
            if task.id not in known and task.item in self.items
        ]  # fmt: skip
        twice = [self.published[task.item].task for task in strays if task.item in self.published]
        standing: dict[str, list[Task]] = {}
        for task in [*self.server.tasks(project, twice), *strays]:
            standing.setdefault(task.item, []).append(task)
        kept = {item: min(tasks, key=lambda task: (not task.touched, task.id)) for item, tasks in standing.items()}
        self._record(task for task in kept.values() if task.id not in known)
        for task in (task for tasks in standing.values() for task in tasks):
            if task is not kept[task.item] and not task.touched:
                self.server.remove(task)
        return len({task.item for task in strays}) - len(set(twice))

    def refresh(self, project: Project) -> int:
        """Give untouched assisted tasks the prediction that their item has now; returns how many got one."""
        stale = [
            each for each in self.published.values()
            if each.arm is Arm.ASSISTED
            and each.item in self.predictions
            and each.item in self.items
            and self.predictions[each.item].model != each.prediction
        ]  # fmt: skip
        done = 0
        for start in range(0, len(stale), AT_ONCE):
            batch = stale[start : start + AT_ONCE]
            untouched = {
                task.id for task in self.server.tasks(project, [each.task for each in batch]) if not task.touched
            }
            batch = [each for each in batch if each.task in untouched]
            if not batch:
                continue
            self.server.predict(
                project,
                [
                    {
                        "task": each.task,
                        **forms.predicted(self.items[each.item], self.predictions[each.item], self.config),
                    }
                    for each in batch
                ],
            )
            for each in batch:
                model = self.predictions[each.item].model
                self.published[each.item] = each.model_copy(update={"prediction": model})
            self.context.work.replace(FILE, self.published.values())
            done += len(batch)
            self.context.tell(done, len(stale), "predictions renewed")
        return done

    def send(self, project: Project, most: int, wanted: Collection[str]) -> int:
        """Publish the next of these items, at most so many."""
        chosen = self.unpublished(wanted)[: max(most, 0)]
        for start in range(0, len(chosen), AT_ONCE):
            batch = chosen[start : start + AT_ONCE]
            after = max((each.task for each in self.published.values()), default=0)
            there = self.server.stand(project, [self._form(item) for item in batch], after)
            self._record(there[item.id] for item in batch)
            self.context.tell(start + len(batch), len(chosen), "items")
        return len(chosen)

    def choose(self, project: Project) -> str:
        """Let people see the predictions of the newest model that any task has; returns its name."""
        at = {each.model: each.at for each in self.predictions.values()}
        given = {each.prediction for each in self.published.values() if each.prediction in at}
        newest = max((model for model in given if model), key=lambda model: at[model], default="")
        if newest and newest != project.model:
            self.server.show(project, newest)
        return newest

    def _form(self, item: Item) -> forms.Json:
        path = self.documents.get(item.document, item.document)
        return forms.task(item, path, self._prediction(item), self.config)

    def _prediction(self, item: Item) -> Prediction | None:
        """Only assisted items are shown with one, whatever lies in the file."""
        return self.predictions.get(item.id) if item.arm is Arm.ASSISTED else None

    def _record(self, tasks: Iterable[Task]) -> None:
        now = dt.datetime.now(dt.UTC)
        new = [
            Published(
                item=task.item, task=task.id, arm=self.items[task.item].arm,
                prediction=task.models[-1] if task.models else None, at=now,
            )
            for task in tasks
        ]  # fmt: skip
        if any(each.item in self.published for each in new):
            self.published |= {each.item: each for each in new}
            self.context.work.replace(FILE, self.published.values())
        else:
            self.published |= {each.item: each for each in new}
            self.context.work.append(FILE, new)

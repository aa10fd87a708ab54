"""What people said in Label Studio → reviews.jsonl, and a new version of the test set when held-out items are among it.

The whole export is read each time: it is the truth, and half a second for a thousand reviews. A webhook is sent once,
unsigned, with a second's patience: nothing here depends on one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from workloads.errors import ConfigError, ServiceError
from workloads.label import testset
from workloads.label.records import Item, Published, Review
from workloads.label.returns import groups, shown
from workloads.label.reviewing import forms, labelling, mark
from workloads.label.reviewing.agreement import agreement
from workloads.label.reviewing.server import Server

if TYPE_CHECKING:
    from workloads.label.stages import Context, Report

FILE = "reviews.jsonl"


def run(context: Context) -> Report:
    """See that reviews.jsonl says what Label Studio says; raises ServiceError, and then leaves the file as it was."""
    work, params = context.work, context.params
    if context.site.label_studio is None:
        raise ConfigError("no Label Studio is described", next_step="name it in the site file: label_studio.url.")
    config = labelling.load(params)
    if not work.read(Published, "published.jsonl"):
        return {"reviews": 0, "state": "nothing was published yet"}
    server = Server(context.site.label_studio, context.tell)
    project = server.find(mark(params.name))
    if project is None:
        raise ServiceError(
            f"Label Studio has no project that is marked {mark(params.name)!r}",
            usually="it was deleted, its description was changed, or this is another server.",
            next_step=f"put that line into its description; {FILE} stays as it is.",
        )
    export = server.export(project)
    looked_up = {number: server.prediction(number) for number in sorted(forms.misattributed(export))}
    parents = {number: form for number, form in looked_up.items() if form}
    items = {item.id: item for item in work.read(Item, "items.jsonl")}
    read = forms.reviews(export, items, params.labels, config, parents)
    before = {review.annotation: review for review in work.read(Review, FILE)}
    after = {review.annotation: review for review in read.reviews}
    if before != after:
        work.replace(FILE, read.reviews)
    grown = testset.grown(testset.newest(work), items.values(), read.reviews)
    if grown:
        testset.write(work, grown)
    return {
        "reviews": len(after),
        "new": len(after.keys() - before.keys()),
        "changed": sum(before[number] != after[number] for number in after.keys() & before.keys()),
        "withdrawn": len(before.keys() - after.keys()),
        "test set": grown.version if grown else "unchanged",
        **figures(read.reviews, items, params.roi.longest_lead_s),
        **read.left_out,
    }


def figures(reviews: list[Review], items: dict[str, Item], cap_s: float) -> Report:
    """What people made of the newest model's suggestions, how long they took, how far they agree; each with its n."""
    seen = groups.seen(reviews, items, cap_s)
    told: Report = {}
    for of in shown.shown(seen)[-1:]:
        judged = of.accepted + of.edited + of.rejected
        told |= {"model": of.model, "accepted": f"{of.accepted} of {judged}", "edited": of.edited}
        told |= {"rejected": of.rejected, "skipped": of.skipped, "marks kept": f"{of.kept} of {of.spans}"}
    for group, leads in groups.by_group(seen).items():
        if leads.median_s is not None:
            told[f"median {group} s"] = f"{leads.median_s:.1f} (n {leads.timed}, {leads.capped} capped)"
    if agreed := agreement(reviews):
        told["agreement"] = f"{agreed.shared:.2f} (n {agreed.pairs} pairs, {agreed.alike} alike)"
    return told

"""Items and predictions → what people see in Label Studio, and what they made of it → reviews.

labelling  labels.xml → checked names: which control marks which text; refuses what would run a document's text
order      unpublished items → those that come next: least certain first, blank ones spread evenly among them
forms      our records ↔ Label Studio's JSON; pure
agreement  reviews of one item by several people → how far they agree; pure
answers    an answer that is not what was asked for → another try (workloads.label.patience), or the error; pure
server     the one module that speaks to Label Studio: patience, renewed tokens, nothing imported twice

Why so, and what was measured: docs/decisions/0028-reviewing.md.
"""

from __future__ import annotations


def mark(project: str) -> str:
    """The line in a Label Studio project's description by which it is found: titles are for people, and they change."""
    return f"spark-node label: {project}"

"""docs/metrics.md ends with what the exporter tells of a project that has every figure, and it tells all it can."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporters.roi.families import build, families, read
from exporters.roi.metrics import HELP, OF_FILES
from exporters.roi.reference import TITLE, page
from tests.exporters import reference
from tests.exporters.roi.watched import kept, night
from tests.workloads.label.returns.archive import NOW, known, params
from workloads.label.returns.figures import figures

if TYPE_CHECKING:
    import pytest

FIGURES, RUNS = figures(params(), known(), NOW).model_dump_json(), [night("contracts").model_dump_json()]
KEPT = kept("contracts").model_dump_json()
TOLD = [*families(read({"contracts": FIGURES}, {"contracts": RUNS}, {"contracts": KEPT})), *build()]


def test_the_page_is_what_the_exporter_tells(request: pytest.FixtureRequest) -> None:
    """`--update-golden` writes the section anew; the diff is then read by a person."""
    text = page(TOLD)
    if request.config.getoption("--update-golden"):
        reference.write(TITLE, text)
    assert text == reference.section(TITLE)


def test_no_metric_is_left_out() -> None:
    """The project of the tests has every metric that there is a text for."""
    names = {family.name.removeprefix("sparkfleet_roi_") for family in TOLD}
    assert names - {"build"} == {*OF_FILES, *HELP}


def test_every_text_is_a_sentence_and_every_metric_of_a_project() -> None:
    """But for those of the exporter itself, every series names the project that it is of."""
    for family in TOLD:
        assert family.documentation.endswith("."), family.name
        own = family.name.endswith(("_build", "_workspace_success"))
        assert own or all("project" in sample.labels for sample in family.samples), family.name

"""What the label loop brings and costs: does the model help, do people look, how soon do corrections count.

The first row answers for every project, the others for the chosen one. No figure stands without its n: in the same line
of a table, in the bars beside it, or in the next number. What is not known is an empty place, and says why.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders.dashboard import QueryVariable
from grafana_foundation_sdk.models.dashboard import VariableRefresh, VariableSort

from exporters.dashboards.board import About, Scope, board
from exporters.dashboards.limits import ORANGE, Limit
from exporters.dashboards.panels import DATASOURCE, Column, Query, bars, lines, number, per

if TYPE_CHECKING:
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.models.dashboard import Dashboard, Panel

SCOPE = Scope("sparkfleet_roi", 'project="$project"')
UID = "sparkfleet-roi"
WAITED = Limit(7 * 86400, "ModelLatencyTooLong", colour=ORANGE)
LIMITS = (WAITED,)

TOO_FEW = "too few reviews to tell"
COMPARED = (
    "Reviews with a prediction beside reviews of the same weeks without, whose documents were drawn by chance. "
    "Compared only where both have at least 20 timed reviews of 5 documents. Medians; long breaks are capped; skipped "
    "items do not count."
)
SPARKS, CALYPSO = (
    f"avg by (instance) ({it})" for it in ("sparkfleet_gb10_gpu_utilization_ratio", "nv_gpu_utilization")
)
GROUPS = {"before": "before the first model", "blank": "without", "assisted": "with prediction"}


figure = partial(number, instant=True)  # one that is not known any more is gone, however short ago it was


def dashboard() -> Dashboard:
    """The only one: a project's owner needs no second."""
    about = About(
        "Label loop", UID, "What does the label loop bring, what does it cost, what is left?", "roi", "now-30d"
    )
    return board(about, _project(), SCOPE, [
        ("Every project", [per("Projects", "One line a project; a click opens it below.", _projects(), by="project",
                               name="Project", link=UID)]),
        ("Does the model help?", [*_help(), _groups(), *_months()]),
        ("Do people look, and do they agree?", [_models(), *_agreement()]),
        ("From the first correction to the model", [*_waiting(), _deliveries()]),
        ("What is left", _left()),
        ("What it costs", _cost()),
        ("Are the GPUs used?", [
            lines("GPU utilisation: Sparks and Calypso", "Share of time in which a GPU worked, of every machine, "
                  "whatever it worked on. Sparks by their own exporter, Calypso by Triton's nv_gpu_utilization.",
                  "percentunit", Query(SPARKS, "Spark {{instance}}"), Query(CALYPSO, "Calypso {{instance}}"), highest=1,
                  span=24),
        ]),
    ]).build()  # fmt: skip


def _project() -> QueryVariable:
    """Which project; one whose figures cannot be read can be chosen too."""
    return (
        QueryVariable("project")
        .label("Project")
        .datasource(DATASOURCE)
        .query("label_values(sparkfleet_roi_project_success, project)")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(VariableSort.ALPHABETICAL_ASC)
    )


def _every(metric: str) -> str:
    """A metric of all projects, whichever is chosen."""
    return f"max by (project) (sparkfleet_roi_{metric})"


def _date(metric: str) -> str:
    """Grafana wants milliseconds."""
    return f"max(@{metric}_timestamp_seconds) * 1000"


def _projects() -> list[Column]:
    waits = "max by (project) (project:sparkfleet_roi_waiting_seconds:age)"
    ends = f"{_every('forecast_end_timestamp_seconds')} * 1000"
    return [
        Column("Figures of", "dateTimeAsIso", f"{_every('figures_timestamp_seconds')} * 1000"),
        Column("Throughput with model ÷ without", "percentunit", _every("comparison_speedup_ratio")),
        Column("n with", "none", _every('reviews_timed{group="assisted"}')),
        Column("n without", "none", _every('reviews_timed{group="blank"}')),
        Column("Time an item", "s", _every("item_seconds")),
        Column("n items", "none", _every("cost_items")),
        Column("Last model took", "s", "max by (project) (sparkfleet_roi_model_latency_seconds and on (project, model) "
               "topk by (project) (1, sparkfleet_roi_model_serving_timestamp_seconds))"),
        Column("n models", "none", _every("models_delivered")),
        Column("Corrections wait for", "s", waits, WAITED.steps()),
        Column("n waiting", "none", _every("waiting_reviews")),
        Column("Documents without text", "none",
               'sum by (project) (sparkfleet_roi_documents{state!="converted"})'),
        Column("Items open", "none", _every('items{state="open"}')),
        Column("Done by", "dateTimeAsIso", ends),
        Column("n handled", "none", _every("forecast_handled_items")),
    ]  # fmt: skip


def _help() -> list[Builder[Panel]]:
    def ratio(title: str, text: str, metric: str) -> Builder[Panel]:
        return figure(title, text, "percentunit", f"max(@{metric})", no_value=TOO_FEW, decimals=0)

    def n(title: str, group: str) -> Builder[Panel]:
        return figure(title, "Timed reviews; at least 20, of 5 documents, are needed in each group.", "none",
                      f'sum(@reviews_timed{{group="{group}"}})', no_value="none yet")  # fmt: skip

    return [
        ratio("Throughput with model ÷ without", f"200 % is twice as many items an hour. {COMPARED}",
              "comparison_speedup_ratio"),
        ratio("… at least", "Lower end of its interval of 95 %. Under 100 %: the model may as well slow people down.",
              "comparison_speedup_low_ratio"),
        ratio("… at most", "Upper end of its interval of 95 %.", "comparison_speedup_high_ratio"),
        n("n with prediction", "assisted"),
        n("n without", "blank"),
        figure("Time saved so far", "Of reviewers, on all timed reviews with a prediction; less than nothing when the "
               "model slows people down. Its interval is in the metrics comparison_saved_low_seconds and _high_.", "s",
               "max(@comparison_saved_seconds)", no_value=TOO_FEW),
    ]  # fmt: skip


def _groups() -> Builder[Panel]:
    def of(metric: str) -> str:
        return f"max by (group) (@{metric})"

    hourly = 'max by (group) (project_group:sparkfleet_roi_reviews_per_hour:median{project="$project"})'
    skipped = 'max by (group) (project_group:sparkfleet_roi_reviews_skipped_ratio:share{project="$project"})'
    text = (
        "blank and assisted are of one time and drawn by chance. before is another time, when people were still "
        "learning: no fair comparison. rest was shown without a prediction because none was there."
    )
    return per("How long a review takes", text, [
        Column("Items an hour", "none", hourly),
        Column("Median", "s", of("review_median_seconds")),
        Column("Mean", "s", of("review_mean_seconds")),
        Column("n timed", "none", of("reviews_timed")),
        Column("n documents", "none", of("review_documents")),
        Column("n people", "none", of("reviewers")),
        Column("Capped", "none", of("reviews_capped")),
        Column("Reviews", "none", of("reviews")),
        Column("Skipped", "none", of("reviews_skipped")),
        Column("Skipped, share", "percentunit", skipped),
    ], by="group", name="Group")  # fmt: skip


def _months() -> list[Builder[Panel]]:
    def of(metric: str, unit: str) -> list[Column]:
        return [
            Column(title, unit, f'max by (month) (@{metric}{{group="{group}"}})') for group, title in GROUPS.items()
        ]

    return [
        bars("Median lead time by month", "Compare within a month: people learn, and items change.", "s",
             of("month_review_median_seconds", "s"), by="month"),
        bars("n by month", "Timed reviews that the medians beside are of.", "none", of("month_reviews_timed", "none"),
             by="month"),
    ]  # fmt: skip


def _models() -> Builder[Panel]:
    def of(metric: str) -> str:
        return f"max by (model) (@{metric})"

    accepted = 'max by (model) (project_model:sparkfleet_roi_accepted_ratio:share{project="$project"})'
    kept = 'max by (model) (project_model:sparkfleet_roi_spans_kept_ratio:share{project="$project"})'
    text = (
        "Suggestions that people keep, beside what is right where people saw none. Much more kept than right: they do "
        "not look. Held-out figures are of the serving model alone."
    )
    return per("By model", text, [
        Column("Accepted as shown", "percentunit", accepted),
        Column("n reviews", "none", 'sum by (model) (@shown_reviews{outcome!="skipped"})'),
        Column("Spans kept", "percentunit", kept),
        Column("n spans shown", "none", of("shown_spans")),
        Column("Held-out precision", "percentunit", of("held_out_precision_ratio")),
        Column("Held-out recall", "percentunit", of("held_out_recall_ratio")),
        Column("Held-out F1", "percentunit", of("held_out_f1_ratio")),
        Column("F1 at least", "percentunit", of("held_out_f1_low_ratio")),
        Column("F1 at most", "percentunit", of("held_out_f1_high_ratio")),
        Column("n held-out spans", "none", of("held_out_spans")),
        Column("n held-out items", "none", of("held_out_items")),
    ], by="model", name="Model")  # fmt: skip


def _agreement() -> list[Builder[Panel]]:
    return [
        figure("Two people agree", "Mean share of spans in common where two people saw one item; F1 of one measured by "
               "the other. What people do not agree on, no model can be right about.", "percentunit",
               "max(@agreement_ratio)", no_value="nobody saw what another did", span=8, decimals=0),
        figure("n pairs", "Two people who reviewed one item.", "none", "max(@agreement_pairs)", no_value="none",
               span=8),
        figure("… alike to the last span", "Pairs without any difference.", "none", "max(@agreement_alike_pairs)",
               no_value="none", span=8),
    ]  # fmt: skip


def _waiting() -> list[Builder[Panel]]:
    age = 'max(project:sparkfleet_roi_waiting_seconds:age{project="$project"})'
    last = "max(@model_latency_seconds and on (model) topk(1, @model_serving_timestamp_seconds))"
    return [
        figure("Waiting for a model", "Age of the oldest review that the serving model has not learned from.", "s", age,
               steps=WAITED.steps(), no_value="nothing known"),
        figure("n waiting", "Items whose last review no serving model has learned from.", "none",
               "max(@waiting_reviews)"),
        figure("n needed", "With fewer new reviews nothing is trained.", "none", "max(@waiting_least_reviews)"),
        figure("Last model took", "From the first correction that only it learned from until it served.", "s", last,
               steps=WAITED.steps(), no_value="no model yet"),
        figure("Serving since", "When the last model that learned from reviews began to serve.", "dateTimeAsIso",
               _date("model_serving"), no_value="no model yet"),
        figure("n models", "Models that learned from reviews and came to serve.", "none", "max(@models_delivered)"),
    ]  # fmt: skip


def _deliveries() -> Builder[Panel]:
    return per("Models", "Each from its first correction until it served; none that was refused or taken back.", [
        Column("First correction", "dateTimeAsIso",
               "max by (model) (@model_first_review_timestamp_seconds) * 1000"),
        Column("Serving since", "dateTimeAsIso", "max by (model) (@model_serving_timestamp_seconds) * 1000"),
        Column("Took", "s", "max by (model) (@model_latency_seconds)", WAITED.steps()),
    ], by="model", name="Model", height=6)  # fmt: skip


def _left() -> list[Builder[Panel]]:
    def of(state: str) -> str:
        return f'sum(@items{{state="{state}"}})'

    def month(title: str, metric: str) -> Column:
        return Column(title, "none", f"max by (month) (@{metric})")

    return [
        figure("Items open", "Neither reviewed nor skipped. Documents without text yet are not in it.", "none",
               of("open")),
        figure("… in Label Studio", "Of the open ones, those that people can see.", "none", "max(@items_published)"),
        figure("Items skipped", "Looked at, and labelled by nobody: off the backlog, and not done.", "none",
               of("skipped")),
        figure("Done by", "At the pace of the last four weeks, if no more documents come. Unknown in the first week, "
               "and where fewer than 20 items were handled.", "dateTimeAsIso", _date("forecast_end"),
               no_value="unknown"),
        figure("… at the latest", "Late end of its interval of 80 %; empty: perhaps never.", "dateTimeAsIso",
               _date("forecast_end_late"), no_value="unknown"),
        figure("n handled", "Items that the forecast's pace is of.", "none", "max(@forecast_handled_items)",
               no_value="too few"),
        bars("Burn-down by month", "Items left at the end of each month (of this one: now).", "none",
             [month("open", "month_open_items")], by="month"),
        bars("Added and handled by month", "Items whose document came, and items first reviewed or skipped.", "none",
             [month("added", "month_added_items"), month("handled", "month_handled_items")], by="month"),
    ]  # fmt: skip


def _cost() -> list[Builder[Panel]]:
    left = 'max(project:sparkfleet_roi_open_seconds:estimate{project="$project"})'
    return [
        figure("Time an item", "People's time for each finished item: second reviews and skipped ones are paid by it.",
               "s", "max(@item_seconds)", no_value="none finished"),
        figure("Money an item", "The same at the hourly cost in project.toml, in its currency; machines are not in it.",
               "none", "max(@item_cost)", decimals=2, no_value="no hourly cost"),
        figure("n items", "Finished items.", "none", "max(@cost_items)", no_value="none finished"),
        figure("n timed reviews", "Reviews whose lead time is known; the others count as their mean.", "none",
               "max(@cost_reviews_timed)", no_value="none"),
        figure("n reviews", "All of them, second and skipped ones too.", "none", "max(@cost_reviews)", no_value="none"),
        figure("Time for what is left", "Open items at the time that an item took so far.", "s", left,
               no_value="unknown"),
    ]  # fmt: skip

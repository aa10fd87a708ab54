"""Every metric of this exporter and what it says, in the order of the output. The prefix comes before each name.

Each figure has its n beside it: which, its text says. All are gauges: a figure may be corrected.
"""

from __future__ import annotations

OF_FILES = {
    "workspace_success": "1 when the folder of the projects could be listed.",
    "project_success": "1 when the project's figures could be read; 0 when not, and nothing else is told of it.",
}
HELP = {
    # ---- what it rests on ----
    "figures_timestamp_seconds": "When the figures were made, in seconds since 1970; no later review is in them.",
    "hourly_cost": "What an hour of a reviewer costs, as the project's owner says. Absent: nobody said.",
    "documents": "Documents by state; `waiting` ones have no text yet, and no items in the backlog.",
    # ---- reviews by group ----
    "reviews": "Reviews that were not skipped. Groups: `assisted`, shown with a prediction; `blank`, of the same time, "
    "shown without on purpose; `before`, before the first prediction; `rest`, comparable with none.",
    "reviews_skipped": "Reviews that were skipped.",
    "reviews_timed": "n of the lead times: reviews that were not skipped and whose lead time is known.",
    "reviews_capped": "Timed reviews that took longer than the cap (somebody went for lunch) and count as the cap.",
    "review_documents": "Documents that the timed reviews are of.",
    "reviewers": "People that the timed reviews are by.",
    "review_median_seconds": "Median capped lead time; n is reviews_timed.",
    "review_mean_seconds": "Mean capped lead time; n is reviews_timed.",
    # ---- with and without help ----
    "comparison_least_reviews": "So many timed reviews must each of blank and assisted have before they are compared.",
    "comparison_least_documents": "Of so many documents.",
    "comparison_reviews": "n of the comparison: timed reviews of the group.",
    "comparison_documents": "n of its intervals: documents of the group.",
    "comparison_speedup_ratio": "Median lead time blank over assisted: 2 is twice as fast, under 1 is slower.",
    "comparison_speedup_low_ratio": "Lower end of its interval of 95 %.",
    "comparison_speedup_high_ratio": "Upper end of its interval of 95 %.",
    "comparison_saved_seconds": "Reviewing time saved on all timed assisted reviews; negative when it was lost.",
    "comparison_saved_low_seconds": "Lower end of its interval of 95 %.",
    "comparison_saved_high_seconds": "Upper end of its interval of 95 %.",
    # ---- do people look? ----
    "shown_reviews": "Reviews of the model's suggestions by outcome; n is their sum.",
    "shown_spans": "Spans that the model suggested in reviews that were not skipped.",
    "shown_spans_kept": "Of shown_spans, those that people left as they were.",
    "shown_spans_reviewed": "Spans that people left in those reviews in the end.",
    "held_out_items": "n: held-out items that the serving model was measured on before it was promoted.",
    "held_out_documents": "n of the interval: documents that those items are of.",
    "held_out_spans": "n: true spans in those items.",
    "held_out_precision_ratio": "Share of the model's spans that are right, by people who were not shown them.",
    "held_out_recall_ratio": "Share of the true spans that the model finds.",
    "held_out_f1_ratio": "F1 of whole spans.",
    "held_out_f1_low_ratio": "Lower end of its interval.",
    "held_out_f1_high_ratio": "Upper end of its interval.",
    "agreement_pairs": "n: two people who reviewed one item.",
    "agreement_alike_pairs": "Of them, those that are alike to the last span.",
    "agreement_ratio": "Mean share of spans that two people have in common (Dice): F1 of one by the other.",
    # ---- from new data to a model ----
    "models_delivered": "n: models that learned from reviews and came to serve.",
    "model_latency_seconds": "From the first review that only this model learned from until it served.",
    "model_first_review_timestamp_seconds": "When that review was made, in seconds since 1970.",
    "model_serving_timestamp_seconds": "When the model began to serve, in seconds since 1970.",
    "waiting_reviews": "n: items whose last review the serving model has not learned from.",
    "waiting_least_reviews": "With fewer than so many nothing is trained.",
    "waiting_since_timestamp_seconds": "When the oldest of them was reviewed. Absent: none waits.",
    # ---- what is left ----
    "items": "Items by state: `skipped` ones were looked at, and labelled by nobody.",
    "items_published": "Of the open items, those that people can see in Label Studio.",
    "month_added_items": "Items whose document came in the month (UTC).",
    "month_handled_items": "Items that were first reviewed, or skipped, in the month.",
    "month_open_items": "Items left at the month's end; of this month: now.",
    "month_reviews_timed": "n: timed reviews of the month, by group.",
    "month_review_median_seconds": "Median capped lead time of the month, by group; n is month_reviews_timed.",
    "forecast_days": "n: days that the forecast's pace is of.",
    "forecast_handled_items": "n: items handled in those days.",
    "forecast_daily_items": "Items handled a day.",
    "forecast_end_timestamp_seconds": "When nothing is left at that pace, if no more documents come. Absent: unknown.",
    "forecast_end_early_timestamp_seconds": "Early end of its interval of 80 %.",
    "forecast_end_late_timestamp_seconds": "Late end of its interval of 80 %. Absent: perhaps never.",
    # ---- what it costs ----
    "cost_items": "n: items that were finished.",
    "cost_reviews": "Reviews that went into them: second ones and skipped ones too.",
    "cost_reviews_timed": "n: of those, the ones whose lead time is known; the others count as their mean.",
    "item_seconds": "People's time an item that was finished, skipped and second reviews included.",
    "item_cost": "The same in money, of people's time alone. Absent: nobody said what an hour costs.",
    # ---- runs that come by themselves ----
    "recurring_since_timestamp_seconds": "When the recurring run was first described here, in seconds since 1970.",
    "recurring_done_timestamp_seconds": "When one came to a good end for the last time. Absent: never.",
    "recurring_overdue_seconds": "So long after the last good end, or since it is described, two in a row were missed.",
    "recurring_failed": "1 when the last one failed, else 0.",
    "recurring_gave_way": "How often the last one gave way to people who used the GPU.",
    # ---- what outlives the machine ----
    "kept_since_timestamp_seconds": "When its records were first to be kept in the object store, since 1970.",
    "kept_timestamp_seconds": "When all of its records were there for the last time. Absent: never.",
    "kept_failed": "1 when the last try to keep them failed, or is under way, else 0.",
}

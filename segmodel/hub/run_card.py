"""The model card of a run: what it was made from, how good it is and how sure that is, and where that ends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from segmodel.evaluation.bootstrap import Interval, user_interval
from segmodel.evaluation.comparison import Comparison, Figure
from segmodel.evaluation.evaluation import Evaluation
from segmodel.evaluation.markdown import HEADLINES
from segmodel.evaluation.view_metrics import METRICS
from segmodel.hub.markdown import front_matter, table
from segmodel.runs.run import Run, versions

_SHOWN = (*HEADLINES, METRICS["paper_hr@1"], METRICS["watch_error_s"])
"""Figures of the card."""

_LIMITS = (
    "It knows the kind of log it was trained on and no other: people, videos and the app decide how long is watched.",
    "Figures are of the last views of each user in that log; nobody has tried it on live traffic.",
    "Predictions for users and videos it never saw are those of an average one with the same length and content.",
    "`model/facts.json` holds the ids of the users and videos of the log. Replace them before publishing if they can "
    "be traced to people.",
)


def run_card(run: Run, evaluations: Mapping[str, Evaluation], comparison: Comparison, repo: str) -> str:
    """Markdown with the front matter that the hub reads.

    Parameters
    ----------
    run : Run
    evaluations : model name -> Evaluation
        On the run's test views; the run first.
    comparison : Comparison
        Of the same models.
    repo : str
        What one pulls it by.
    """
    own, data = next(iter(evaluations.values())), run.data
    header = {
        "library_name": "segmodel",
        "tags": ["short-video", "skip-prediction", "segment-interest", run.config.model],
        "license": "other",
    }
    views = data["views"]
    parts = [
        f"# {run.config.model}: where users leave short videos",
        f"A segment-interest model of [segmodel](https://doi.org/10.1145/3726302.3730083), `{run.config.model}`: for a "
        "user and a video, the chance to leave in each of its segments.",
        "## Use",
        f"```\npip install segfeat\nsegmodel pull {repo} -o runs/pulled --store feats.h5\n"
        "segmodel predict-skip --run runs/pulled --pairs pairs.csv -o skips.csv\n```",
        "The store must have segments of the same length and features of the same encoders as below.",
        "## Data",
        table(
            ("", ""),
            [
                ("store, content hash", f"`{data['store_hash']}`"),
                ("watch log, fingerprint", f"`{data['log_fingerprint']}`"),
                ("segment length", f"{data['segment_s']:g} s"),
                *((f"{m} features", f"{s['name']} ({s['dim']}), {s['pooling']}") for m, s in data["encoders"].items()),
                ("views: train, validate, test", ", ".join(f"{views[k]:,}" for k in ("train", "valid", "test"))),
                *((f"rows left out: {reason}", f"{n:,}") for reason, n in data["dropped"].items()),
                ("split", _split(run)),
            ],
        ),
        "## Figures",
        f"On {len(own.views):,} test views of {len(set(own.views.user.tolist())):,} users, seed {run.config.seed}; in "
        "brackets 95 % intervals from resampling users. Ties count against the model.",
        table(("metric", "value"), [(metric.in_words, _value(own, metric.name)) for metric in _SHOWN]),
        *_beside(comparison),
        "## Limits",
        *([_LEAKS] if run.config.split == "random" else []),
        "\n".join(f"- {line}" for line in _LIMITS),
        "## Settings",
        f"```json\n{json.dumps(_settings(run), indent=1)}\n```",
        "Made with " + ", ".join(f"{k} {v}" for k, v in versions().items()) + ".",
    ]
    return f"---\n{front_matter(header)}---\n\n" + "\n\n".join(parts) + "\n"


_LEAKS = "**The split is random: the future of a user leaked into training, so the figures are too good.**"


def _settings(run: Run) -> dict[str, Any]:
    """Of the model, with the limit of epochs that the run set over it."""
    limit = {} if run.config.epochs is None else {"epochs": run.config.epochs}
    return {**run.config.settings, **limit}


def _split(run: Run) -> str:
    c = run.config
    return f"temporal, the first {c.train_share:.0%} of each user train" if c.split == "temporal" else c.split


def _value(own: Evaluation, metric: str) -> str:
    return _interval(user_interval(own.metrics.values(metric), own.views.user_ids[own.views.user].astype(str)))


def _interval(found: Interval) -> str:
    if found.mean != found.mean:
        return "–"
    bounds = "" if found.low != found.low else f" [{found.low:.3f}, {found.high:.3f}]"
    return f"{found.mean:.3f}{bounds}"


def _beside(comparison: Comparison) -> list[str]:
    """The other models, each with its paired distance to the reference."""
    models = comparison.table(comparison.cuts[0])
    if len(models) < 2:
        return []
    rows = [
        (name, *(cell for m in HEADLINES for cell in (f"{found[m.name].mean:.3f}", _difference(found[m.name]))))
        for name, found in models.items()
    ]
    titles = (cell for m in HEADLINES for cell in (m.in_words, "difference"))
    return [
        f"Beside simple models, with paired differences to {comparison.reference}:",
        table(("model", *titles), rows),
    ]


def _difference(figure: Figure) -> str:
    if figure.difference != figure.difference:
        return "–"
    return f"{figure.difference:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}]"

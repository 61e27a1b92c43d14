"""How much log is enough, and what another platform's log is worth before there is any.

    python benchmarks/transfer.py NAME=LOG NAME=LOG … -o FOLDER [--shares 0.01,0.05,0.2,1]

Every log's test views (the last tenth of each user's) are predicted by the default model trained on other logs, with
that log's statistics and the other's weights, and by the default model trained on a share of its users' training views,
with the statistics of these alone. Printed is the mean negative log-likelihood of the true exit in nats, and its paired
difference to training on all of it with the 95 % interval over users.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from segfeat.importers.log import import_log
from segfeat.store.reader import FeatureStore
from segmodel.evaluation.bootstrap import user_interval
from segmodel.evaluation.evaluation import evaluate
from segmodel.models import DEFAULT, make_model
from segmodel.models.base import FitRun
from segmodel.runs.config import run_config
from segmodel.runs.data import RunData, open_data
from segmodel.runs.held_out import measure_run
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import Run, load_run
from segmodel.runs.train import prepare, resume, train


def trained(store: Path, out: Path) -> Run:
    """A run of the whole training part, which is opened where it is there, and goes on where it was interrupted."""
    if not out.exists():
        train(prepare(run_config(store, {})), out, latest=False)
    elif not (out / "model").exists():
        resume(out)
    return load_run(out)


def on_a_share(data: RunData, share: float, seed: int = 0) -> np.ndarray:
    """NLL (B,) of the test views from a model that knows all views of a share of the users, and no other."""
    views, split = data.dataset.views, data.split
    users = np.unique(views.user[split.train])
    few = np.random.default_rng(seed).permutation(users)[: max(20, int(share * len(users)))]
    parts = [rows[np.isin(views.user[rows], few)] for rows in (split.train, split.valid)]
    model = make_model(DEFAULT, {})
    # The model may know of no later view of the others, who are new to it.
    model.fit(data.training, replace(split, train=parts[0], valid=parts[1], test=split.test[:0]), FitRun(seed=seed))
    test = data.dataset.take(split.test)
    return evaluate(model.predict(test), test.views, data.train_views, data.config.max_segments).metrics.nll


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("logs", nargs="+", metavar="NAME=LOG")
    parser.add_argument("--shares", default="0.01,0.05,0.2")
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    logs: Mapping[str, Path] = {name: Path(path) for name, _, path in (each.partition("=") for each in given.logs)}
    stores = {name: given.out / f"{name}.h5" for name in logs}
    for name, log in logs.items():
        import_log("csv", [log], stores[name], overwrite=True)
    runs = {name: trained(store, given.out / f"{name}-run") for name, store in stores.items()}
    print("| test views of | trained on | NLL | against all of it |\n|---|---|---|---|", flush=True)
    for target, store in stores.items():
        with open_predictor(runs[target]) as predictor:
            own = measure_run(predictor).own
        user = own.views.user_ids[own.views.user].astype(str)
        rows = {"all of it": own.metrics.nll}
        for source in runs:
            if source != target:
                with open_predictor(runs[source], store) as predictor:
                    rows[f"{source}, its own statistics"] = measure_run(predictor).own.metrics.nll
        with FeatureStore(store) as opened:
            data = open_data(run_config(store, {}), opened)
            for share in map(float, given.shares.split(",")):
                rows[f"{share:.0%} of its users"] = on_a_share(data, share)
        for name, nll in rows.items():
            gap = user_interval(nll - rows["all of it"], user)
            difference = "" if name == "all of it" else f"{gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]"
            print(f"| {target} | {name} | {nll.mean():.4f} | {difference} |", flush=True)


if __name__ == "__main__":
    main()

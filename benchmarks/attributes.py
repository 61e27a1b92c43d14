"""What attributes of videos never seen, and context, are worth by themselves: on the base hazard, without any network.

    python benchmarks/attributes.py LOG --metadata VIDEOS [--context NAME] -o FOLDER [--seeds 0,1] [--shares 1,0.25]

The cut is `unseen` of `benchmarks/logs.py`. NLL of the base hazard, which knows the length alone; what context adds to
it; and what attributes add to that, as they are and shuffled over videos, learned from all users of the training log or
from a share of them. Differences with paired 95 % intervals over users. Takes seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from logs import cut, import_log, shuffle

from segfeat.log_file import read_interactions
from segfeat.tables import read_table
from segfeat.types import Float64
from segmodel.data.dataset import Dataset
from segmodel.data.parts import Parts
from segmodel.data.traits import Traits
from segmodel.data.vocabulary import Vocabulary
from segmodel.evaluation.metrics import exit_nll
from segmodel.models.hazard.effects import TraitColumns
from segmodel.models.hazard.rates import base_hazard, shifted
from segmodel.models.hazard.statistics import Statistics
from segmodel.prediction import from_hazard
from segmodel.runs.config import run_config
from segmodel.runs.data import open_data

FOLDS, PRIOR_EVENTS, MAX_SEGMENTS = 10, 20.0, 40


def losses(train: Dataset, test: Dataset) -> tuple[Float64, Float64, Float64]:
    """NLL of each view to be measured: base hazard, with context, with attributes of the video as well."""
    users = Vocabulary.of(train.views.user_ids, train.views.user)
    videos = Vocabulary.of(train.views.video_ids, train.views.video)
    fold = np.random.default_rng(0).permutation(len(users)) % FOLDS
    traits = Traits.of(train)
    statistics = Statistics(users, videos, fold, FOLDS, PRIOR_EVENTS, MAX_SEGMENTS, traits=traits)
    tables = statistics.learn(Parts.of(train))
    views, everybody = test.views, np.full(len(test), FOLDS)
    video = videos.table_codes(views.video_ids)[views.video]
    columns = TraitColumns.of(tables.effects, traits, views, test.store, everybody, video)
    base = base_hazard(views, tables.rates, everybody)

    def nll(shift: Float64) -> Float64:
        return exit_nll(from_hazard(shifted(base, shift, views.segments), views).slots, views.exit)

    return nll(np.zeros((len(test), 3))), nll(columns.of_moment), nll(columns.of_moment + columns.of_video)


def interval(difference: Float64, user: np.ndarray) -> str:
    """Mean with its 95 % interval, users resampled."""
    code = np.unique(user, return_inverse=True)[1]
    total, count = np.bincount(code, difference), np.bincount(code)
    drawn = np.random.default_rng(0).multinomial(len(count), np.full(len(count), 1 / len(count)), 2000)
    low, high = np.percentile((drawn @ total) / (drawn @ count), (2.5, 97.5))
    return f"{difference.mean():+.4f} [{low:+.4f}, {high:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--metadata", type=Path, required=True)
    parser.add_argument("--context", action="append", default=[])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--shares", default="1,0.25")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    log = read_table(given.log, "log").rename(columns={"photo_id": "video_id"})
    tables = {"attributes": given.metadata, "shuffled": shuffle(given.metadata, given.out / "shuffled.csv")}

    print("| seed | training views | base | context | attributes | shuffled | attributes - shuffled |")
    print("|---|---|---|---|---|---|---|")
    for seed in map(int, given.seeds.split(",")):
        train, test = cut(log, "unseen", seed)
        train.to_csv(given.out / "train.csv", index=False)
        test.to_csv(given.out / "test.csv", index=False)
        pairs = read_interactions(given.out / "test.csv", context=given.context)
        for share in map(float, given.shares.split(",")):
            found = {}
            for name, metadata in tables.items():
                store = import_log(given.out / "train.csv", given.out / "log.h5", metadata, None, given.context)
                data = open_data(run_config(store, {}))
                views = data.dataset.views
                some = np.random.default_rng(seed).random(len(views.user_ids))[views.user] < share
                measured = data.pairs(pairs).data
                found[name] = losses(data.dataset.take(np.flatnonzero(some)), measured)
                data.store.close()
            base, context, real = found["attributes"]
            differences = (context - base, real - context, found["shuffled"][2] - context, real - found["shuffled"][2])
            cells = [interval(d, measured.views.user) for d in differences]
            print(f"| {seed} | {some.sum():,} | {base.mean():.4f} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

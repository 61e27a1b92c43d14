"""How the default model stands beside boosted trees on a watch log: futures, new users and videos never seen.

    python benchmarks/logs.py LOG [--metadata VIDEOS] [--users USERS] [--context NAME] -o FOLDER
        [--cuts future,new-users,unseen] [--seeds 0,1] [--variants hazard,...] [--set KEY=VALUE ...]

Each cut is made of the log before anything is learned, and views to measure on are later than training views of the
same user. Histories are strictly earlier views.

future      trains on the first 70 % (seed 0), 80 % (1), 85 % (2) of each user's views, measures on the others
new-users   trains without a quarter of the users, measures on all their views
unseen      trains without a fifth of the videos on the first 60 % of each user's views, measures on the views of those
            videos among the rest

Variants of a cut: `hazard`, the default; `bare`, it without attributes and context; `context`, with context alone;
`shuffled`, with the attributes of other videos, drawn at random; `trees` and `trees-tuned` (boosted trees with all that
the default has, as they are and with learning rate and leaves chosen on validation views); `trees-bare`, untuned and
without attributes and context. `--set` goes to the hazards, as `--set members=1`. The tables are printed and written to
FOLDER, NLL and NDCG@5 under both protocols with paired 95 % intervals over users against `trees-tuned`, or against the
last variant where that takes no part.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from segfeat.log_file import read_interactions
from segfeat.tables import read_table
from segmodel.evaluation.comparison_files import write_comparison
from segmodel.evaluation.markdown import comparison_markdown
from segmodel.runs.compare import compare
from segmodel.runs.config import run_config
from segmodel.runs.run import Run, load_run
from segmodel.runs.train import prepare, resume, train

OFF = {"video_attributes": False, "user_attributes": False}
TREES = {"model": "gbdt-hazard"}
VARIANTS: Mapping[str, Mapping[str, object]] = {
    "hazard": {},
    "bare": {**OFF, "context_columns": False},
    "context": OFF,
    "shuffled": {},
    "trees": TREES,
    "trees-bare": {**TREES, **OFF, "context_columns": False},
    "trees-tuned": {**TREES, "tune": True},
}
REFERENCE = "trees-tuned"
CUTS = ("future", "new-users", "unseen")
FUTURES = (0.7, 0.8, 0.85)


def cut(log: pd.DataFrame, kind: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Training views and views to measure on."""
    rng = np.random.default_rng(seed)
    if kind == "future":
        late = later(log, FUTURES[seed % len(FUTURES)])
        return log[~late], log[late]
    if kind == "new-users":
        out = log.user_id.isin(part_of(log.user_id, 1 / 4, rng))
        return log[~out], log[out]
    out, late = log.video_id.isin(part_of(log.video_id, 1 / 5, rng)), later(log, 0.6)
    return log[~out & ~late], log[out & late]


def later(log: pd.DataFrame, share: float) -> pd.Series:
    """Which views come after so much of their user's views; those of one moment stay together."""
    by_user = log.groupby("user_id").time_ms
    return by_user.rank(method="min") - 1 >= share * by_user.transform("size")


def part_of(ids: pd.Series, share: float, rng: np.random.Generator) -> np.ndarray:
    """A share of the ids at random."""
    distinct = np.sort(ids.unique())
    return rng.permutation(distinct)[: int(len(distinct) * share)]


def shuffle(metadata: Path, out: Path) -> Path:
    """A table of videos in which everything but the ids belongs to another video."""
    table = read_table(metadata, "metadata")
    ids = next(name for name in ("video_id", "photo_id", "id") if name in table)
    order = np.random.default_rng(0).permutation(len(table))
    others = [name for name in table if name != ids]
    table[others] = table[others].iloc[order].to_numpy()
    table.to_csv(out, index=False)
    return out


def import_log(log: Path, out: Path, metadata: Path | None, users: Path | None, context: Sequence[str]) -> Path:
    """A store of a log."""
    options = [x for name in context for x in ("--context", name)]
    options += ["--metadata", str(metadata)] if metadata else []
    options += ["--users", str(users)] if users else []
    command = [str(Path(sys.executable).with_name("segfeat")), "import", "csv", str(log), "-o", str(out), "--overwrite"]
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL)
    return out


def fit(store: Path, out: Path, settings: Mapping[str, object]) -> Run:
    """A run, which is opened where it is there from an earlier time, and goes on where it was interrupted."""
    if not out.exists():
        train(prepare(run_config(store, settings)), out, latest=False)
    elif not (out / "model").exists():
        resume(out)
    return load_run(out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--metadata", type=Path)
    parser.add_argument("--users", type=Path)
    parser.add_argument("--context", action="append", default=[])
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--cuts", default=",".join(CUTS))
    parser.add_argument("--seeds", default="0,1")
    parser.add_argument("--variants", default="hazard,trees,trees-tuned")
    parser.add_argument("--set", action="append", default=[], dest="settings")
    given = parser.parse_args()

    log = read_table(given.log, "log").rename(columns={"photo_id": "video_id"})
    own = dict(setting.split("=", 1) for setting in given.settings)
    variants = given.variants.split(",")
    for kind in given.cuts.split(","):
        for seed in map(int, given.seeds.split(",")):
            folder = given.out / f"{kind}-{seed}"
            folder.mkdir(parents=True, exist_ok=True)
            for name, rows in zip(("train", "test"), cut(log, kind, seed), strict=True):
                rows.to_csv(folder / f"{name}.csv", index=False)
            store = import_log(folder / "train.csv", folder / "log.h5", given.metadata, given.users, given.context)
            runs = {}
            for variant in variants:
                where = store
                if variant == "shuffled":
                    table = shuffle(given.metadata, folder / "shuffled.csv")
                    where = import_log(folder / "train.csv", folder / "shuffled.h5", table, given.users, given.context)
                settings = VARIANTS[variant]
                runs[variant] = [fit(where, folder / variant, settings if "model" in settings else {**own, **settings})]
            test = read_interactions(folder / "test.csv", context=given.context)
            reference = REFERENCE if REFERENCE in variants else variants[-1]
            found = compare(runs, reference=reference, log=test)
            write_comparison(found, folder)
            print(f"## {kind} {seed}: {len(test):,} views\n\n{comparison_markdown(found, found.cuts[-1:])}", flush=True)


if __name__ == "__main__":
    main()

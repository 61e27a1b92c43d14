"""A log that grows by the day: a run that is never updated, one that is updated daily, and one trained anew daily.

    python benchmarks/growing.py LOG -o FOLDER [--days 7] [--context NAME]

The first run knows the first ``--days`` days of the log. Each later day is predicted by all three before anybody learns
from it; whoever learns nothing has the days before as history all the same. Printed are the mean negative
log-likelihood of the true exit in nats for each day, over all of them with the paired 95 % interval over users against
training anew, and what learning cost in processor seconds, measured side by side in this process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from segfeat.log_file import read_interactions
from segfeat.tables import read_table
from segmodel.evaluation.bootstrap import user_interval
from segmodel.runs.config import run_config
from segmodel.runs.held_out import measure_run
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import Run
from segmodel.runs.train import prepare, train
from segmodel.runs.update import update

DAY_MS = 86_400_000


def timed(work: Callable[[], Run]) -> tuple[Run, float]:
    """A run and the processor seconds that it took."""
    began_s = time.process_time()
    return work(), time.process_time() - began_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", type=Path)
    parser.add_argument("--store", type=Path, help="Default: one that knows the videos' lengths alone, of the log.")
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--context", action="append", default=[])
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)

    log = read_table(given.log, "log")
    time_ms = log.time_ms.astype("int64")
    day = (time_ms - time_ms.min()) // DAY_MS
    files = {}
    for number in sorted(set(day.clip(lower=given.days - 1))):
        files[number] = given.out / f"day-{number}.csv"
        log[day.clip(lower=given.days - 1) == number].to_csv(files[number], index=False)
    first, *later = files
    store = given.store or make_store(given.log, given.out / "videos.h5")

    def trained(upto: int) -> Run:
        known = [str(path) for number, path in files.items() if number <= upto]
        options = {"interactions": known, "context": given.context}
        return train(prepare(run_config(store, options)), given.out / f"anew-{upto}", latest=False)

    never, _ = timed(lambda: trained(first))
    runs = {"never": never, "update": never, "anew": never}
    cost = {"update": 0.0, "anew": 0.0}
    nll: dict[str, list[np.ndarray]] = {name: [] for name in runs}
    users: list[np.ndarray] = []
    print(f"| day | views | {' | '.join(runs)} |\n{'|---' * (2 + len(runs))}|", flush=True)
    for number in later:
        test = read_interactions(files[number], context=given.context)
        for name, run in runs.items():
            history = [files[n] for n in files if first < n < number] if name == "never" else None
            with open_predictor(run, history=history) as predictor:
                own = measure_run(predictor, test).own
            nll[name].append(own.metrics.nll)
        users.append(own.views.user_ids[own.views.user].astype(str))
        print(
            f"| {number + 1} | {len(users[-1]):,} | " + " | ".join(f"{nll[n][-1].mean():.4f}" for n in runs) + " |",
            flush=True,
        )
        before = runs["update"]
        for name, work in (
            ("update", lambda b=before, n=number: update(b, [files[n]], given.out / f"update-{n}", latest=False)),
            ("anew", lambda n=number: trained(n)),
        ):
            runs[name], spent_s = timed(work)
            cost[name] += spent_s
    everyone = np.concatenate(users)
    reference = np.concatenate(nll["anew"])
    for name in ("never", "update"):
        gap = user_interval(np.concatenate(nll[name]) - reference, everyone)
        print(f"{name} - anew: {gap.mean:+.4f} [{gap.low:+.4f}, {gap.high:+.4f}]")
    print(
        f"processor seconds: update {cost['update']:.0f}, anew {cost['anew']:.0f}, {cost['update'] / cost['anew']:.2f}"
    )


def make_store(log: Path, out: Path) -> Path:
    """The videos of a whole log, without its views."""
    from segfeat.importers.log import import_log

    import_log("csv", [log], out, overwrite=True)
    return out


if __name__ == "__main__":
    main()

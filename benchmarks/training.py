"""What training on a log in partitions costs: peak memory and views per second, and whether they stay as the log grows.

    python benchmarks/training.py [--views 1 3 10] [--videos N] [--part-views N] [--batch N] [--test-views N]
                                  [--folder FOLDER]

Views in millions, synthetic, written straight to partitions, which stay in FOLDER where it is given. Each size is
trained in a process of its own on one CPU thread: one network, one epoch, no features; 100 views a user, videos as
popular as Zipf has it. Then test views are predicted, part by part, at least --test-views of them where there are so
many. Times are CPU time of the process, which other programs disturb less; memory is resident, at its peak, and before
anything was read.

prepare   what of a partition is counted before training: split, fingerprint, ids
learn     statistics for training: rates, sums per video, scalers, sums by time
epoch     one epoch of one network: the training views, of a larger log as many as an epoch takes, and validation views
after     statistics that predictions read
predict   test views, which takes all views of their users
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from segfeat.partitioned_log import NAME, partition_file, partition_of
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segmodel.data.parts import TEST
from segmodel.evaluation.metrics import exit_nll
from segmodel.models import make_model
from segmodel.models.base import FitRun
from segmodel.models.hazard.fitting import EPOCH_VIEWS
from segmodel.models.hazard.statistics import Statistics
from segmodel.runs import data as run_data
from segmodel.runs.config import run_config

VIEWS_EACH = 100
"""Of a user."""


def write_views(folder: Path, views: int, videos: int, partitions: int) -> None:
    """A log of random views, as :func:`segfeat.importers.partitions.partition_log` writes it, a partition at a time."""
    rng = np.random.default_rng(0)
    duration_ms = rng.integers(5_000, 200_000, videos)
    liked = rng.normal(size=videos)
    popular = np.cumsum(1.0 / np.arange(1, videos + 1) ** 0.9)
    users = defaultdict[int, list[str]](list)
    for i in range(views // VIEWS_EACH):
        users[partition_of(f"u{i}", partitions)].append(f"u{i}")
    folder.mkdir(parents=True)
    video_ids = pa.array([f"v{i}" for i in range(videos)])
    for k in range(partitions):
        here = sorted(users[k])
        n = len(here) * VIEWS_EACH
        user = np.repeat(np.arange(len(here)), VIEWS_EACH)
        video = np.searchsorted(popular, rng.random(n) * popular[-1])
        odds = 0.5 * liked[video] + 0.7 * rng.normal(size=len(here))[user]
        share = np.where(rng.random(n) < 1 / (1 + np.exp(1.0 - odds)), 1.0, rng.random(n))
        began = rng.integers(0, 20 * 86_400_000, len(here))[user]
        gaps = rng.integers(1_000, 200_000, (len(here), VIEWS_EACH))
        table = {
            "user_id": pa.DictionaryArray.from_arrays(user, pa.array(here, pa.string())).cast(pa.string()),
            "video_id": pa.DictionaryArray.from_arrays(video, video_ids).cast(pa.string()),
            "time_ms": 1_700_000_000_000 + began + np.cumsum(gaps, axis=1).ravel(),
            "watch_ms": np.maximum((share * duration_ms[video]).astype(np.int64), 1),
            "duration_ms": duration_ms[video],
        }
        pq.write_table(pa.table(table), folder / partition_file(k), compression="zstd")
    counts = [len(users[k]) * VIEWS_EACH for k in range(partitions)]
    (folder / NAME).write_text(json.dumps({"partitions": partitions, "views": counts, "dropped": {}}))


def measure(folder: Path, part_views: int, batch: int, test_views: int, out: Any) -> None:
    """Seconds by stage, views, NLL and peak memory of a training, put into a queue."""
    torch.set_num_threads(1)
    run_data.PART_VIEWS = part_views
    before = _peak_mib()
    store = folder.parent / "none.h5"
    if not store.exists():
        write_store(store, StoreHeader(5.0, {}, {}), [])
    at = [time.process_time()]
    data = run_data.open_data(run_config(store, {"interactions": str(folder)}), FeatureStore(store))
    counts = data.summary["views"]
    at.append(time.process_time())
    model = make_model("hazard", {"members": 1, "batch_views": batch})
    learned = Statistics.learn_by_time

    def spy(*arguments: Any) -> Any:
        found = learned(*arguments)
        at.append(time.process_time())
        return found

    Statistics.learn_by_time = spy  # type: ignore[method-assign]
    data.fit(model, FitRun(epochs=1, report=lambda record: at.append(time.process_time())))
    at.append(time.process_time())
    nll, tested = 0.0, 0
    for part in data.parts.parts(TEST):
        nll += float(exit_nll(model.predict(part).slots, part.views.exit).sum())
        tested += len(part)
        if tested >= test_views:
            break
    at.append(time.process_time())
    out.put(
        {
            "views": sum(counts.values()),
            "parts": data.parts.count,
            "trained": min(counts["train"], EPOCH_VIEWS),
            "tested": tested,
            "seconds": dict(zip(("prepare", "learn", "epoch", "after", "predict"), np.diff(at).tolist(), strict=True)),
            "nll": nll / max(tested, 1),
            "peak_mib": _peak_mib(),
            "before_mib": before,
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=float, nargs="+", default=[1, 3, 10], metavar="MILLIONS")
    parser.add_argument("--videos", type=int, default=200_000)
    parser.add_argument("--part-views", type=int, default=run_data.PART_VIEWS, help="Of two partitions, and in memory.")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--test-views", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        found = []
        for millions in options.views:
            views = round(millions * 1e6)
            folder = (options.folder or Path(temporary)) / f"views-{views}-{options.videos}-{options.part_views}"
            if not folder.exists():
                write_views(folder, views, options.videos, max(round(2.2 * views / options.part_views), 2))
            found.append(_measured(folder, options.part_views, options.batch, options.test_views))
            _show(found[-1], first=len(found) == 1)
    if len(found) > 1:
        n = np.array([f["views"] for f in found]) / 1e6
        for name, values in (
            ("statistics s", [sum(f["seconds"][s] for s in ("prepare", "learn", "after")) for f in found]),
            ("peak MiB", [f["peak_mib"] for f in found]),
        ):
            slope, constant = np.polyfit(n, values, 1)
            off = np.abs(np.polyval([slope, constant], n) / values - 1).max()
            print(f"{name} = {constant:,.0f} + {slope:,.1f} per million views; off by at most {off:.0%}")


def _measured(folder: Path, *options: int) -> dict[str, Any]:
    """In a new process, whose peak is its own."""
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=measure, args=(folder, *options, queue))
    process.start()
    while process.is_alive() and queue.empty():
        time.sleep(0.2)
    if queue.empty():
        raise SystemExit(f"the training on {folder.name} ended with {process.exitcode}")
    found: dict[str, Any] = queue.get()
    process.join()
    return found


def _show(found: Mapping[str, Any], first: bool) -> None:
    stages = found["seconds"]
    if first:
        print(f"{'views':>12} {'parts':>6}" + "".join(f"{s + ' s':>11}" for s in stages) + f"{'train views/s':>15}"
              f"{'tested':>11}{'peak MiB':>10}{'before':>8}{'test NLL':>10}")  # fmt: skip
    print(f"{found['views']:>12,} {found['parts']:>6}" + "".join(f"{s:>11.1f}" for s in stages.values())
          + f"{found['trained'] / stages['epoch']:>15,.0f}{found['tested']:>11,}{found['peak_mib']:>10,.0f}"
          f"{found['before_mib']:>8,.0f}{found['nll']:>10.4f}", flush=True)  # fmt: skip


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()

"""What a training step and the scoring of one user's candidates cost: the default model beside the paper's.

    python benchmarks/model.py [--rounds N] [--step-rounds N] [--views N] [--chunk N]
    python benchmarks/model.py --large [--views N] [--videos N]

One CPU thread, 40-segment videos with features in three modalities (512, 768 and 384 dimensions), histories of 200
segments, of which the paper's model reads 100; weights of one short epoch. Rounds alternate between the models. Times
are CPU time of the process, which other programs disturb less, and wall time.

score   `predict` of one user's 100 or 500 candidates, the past already remembered and the videos already met, as in a
        server; "first" is the first such call, with a new past and nothing met
step    forward, backward and update on a batch of `--views` views, collected in chunks of `--chunk` views that add up
        their gradients (the paper's model would need more than 10 GB for 1024 views at once)

With --large: one epoch on a random log without features; views per second and the peak of resident memory.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segfeat.interactions import Interactions
from segfeat.segment import segment_spans
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, Modality, StoreHeader, VideoFeatures
from segmodel.data.dataset import Dataset, make_dataset
from segmodel.data.splits import Split, temporal_split
from segmodel.models import make_model
from segmodel.models.base import FitRun, SegmentModel
from segmodel.models.hazard.model import HazardModel
from segmodel.models.losses import hazard_loss, intra_video_loss
from segmodel.models.paper.model import PaperModel

MODELS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "paper, d = 128": ("paper", {"d": 128, "layers": 2}),
    "hazard": ("hazard", {}),
    "hazard, width = 128": ("hazard", {"width": 128}),
}
REFERENCE = "paper, d = 128"
CANDIDATES = (100, 500)
DIMS: Mapping[Modality, int] = {"visual": 512, "audio": 768, "text": 384}
DURATION_MS = 198_000
"""40 segments of 5 s, the last of 3 s."""
MOST_MS, LEAST_RATIO = 50.0, 10.0

Times = dict[tuple[str, str], list[tuple[float, float]]]
"""(model, what) -> CPU and wall milliseconds."""


@dataclass(frozen=True)
class World:
    """Everybody's views, and one user's past with candidates."""

    data: Dataset
    log: Interactions
    store: FeatureStore

    def candidates(self, count: int) -> Dataset:
        """One user's ``count`` candidates, after all that user has watched."""
        pairs = Interactions(
            self.log.user_ids,
            self.log.video_ids,
            np.zeros(count, np.int32),
            np.arange(count, dtype=np.int32),
            np.full(count, int(self.log.time_ms.max()) + 60_000),
            np.zeros(count, np.int64),
            np.full(count, DURATION_MS),
        )
        return make_dataset(self.log.take(self.log.user == 0), self.store, pairs=pairs)


def random_log(users: int, videos: int, views_each: int, duration_ms: np.ndarray, seed: int = 0) -> Interactions:
    """Views of random videos, a third to the end, the others left anywhere."""
    rng = np.random.default_rng(seed)
    n = users * views_each
    video = rng.integers(0, videos, n)
    share = np.where(rng.random(n) < 1 / 3, 1.0, rng.random(n))
    return Interactions(
        np.array([f"u{i}" for i in range(users)], dtype=object),
        np.array([f"v{i}" for i in range(videos)], dtype=object),
        np.repeat(np.arange(users, dtype=np.int32), views_each),
        video.astype(np.int32),
        1_700_000_000_000 + np.cumsum(rng.integers(1_000, 200_000, (users, views_each)), axis=1).ravel(),
        np.maximum((share * duration_ms[video]).astype(np.int64), 1),
        duration_ms[video],
    )


def make_world(folder: Path, users: int = 40, videos: int = 500, views_each: int = 100) -> World:
    """A store of 40-segment videos, and a log of its videos."""
    rng = np.random.default_rng(1)
    specs: dict[str, EncoderSpec] = {
        m: EncoderSpec(f"random:{m}", m, dim, "benchmark", "none", "none") for m, dim in DIMS.items()
    }
    spans = segment_spans(DURATION_MS / 1000)
    made = []
    for i in range(videos):
        features: dict[str, Any] = {
            m: rng.standard_normal((len(spans), dim), dtype=np.float32) for m, dim in DIMS.items()
        }
        valid: dict[str, Any] = {m: np.ones(len(spans), dtype=bool) for m in DIMS}
        made.append(VideoFeatures(f"v{i}", DURATION_MS / 1000, spans, features, valid))
    write_store(folder / "feats.h5", StoreHeader(5.0, {}, specs), made)
    store = FeatureStore(folder / "feats.h5")
    log = random_log(users, videos, views_each, np.full(videos, DURATION_MS))
    return World(make_dataset(log, store), log, store)


def fitted(world: World) -> dict[str, SegmentModel]:
    """All models after one epoch on few views: cost does not depend on how good the weights are."""
    rows = np.arange(len(world.data))
    split = Split(rows[50:114], rows[114:130], rows[130:])
    models = {}
    for label, (name, settings) in MODELS.items():
        models[label] = make_model(name, settings)
        models[label].fit(world.data, split, FitRun(epochs=1))
    return models


def steps(model: SegmentModel, data: Dataset, views: int, chunk: int) -> Callable[[], None]:
    """One optimiser step on ``views`` views, for the hazard of one of its networks."""
    rows = np.random.default_rng(2).choice(len(data), views, replace=False)
    parts = [rows[start : start + chunk] for start in range(0, views, chunk)]
    loss: Callable[[np.ndarray], Tensor]
    if isinstance(model, HazardModel):
        network: torch.nn.Module = model.members.networks[0]
        inputs = model.statistics.inputs(data, model.inside, own_fold=True)

        def loss(part: np.ndarray) -> Tensor:
            batch = model.batches.make(data, inputs, part)
            return hazard_loss(network(batch), batch.segments, batch.exit)

    elif isinstance(model, PaperModel):
        network = model.network

        def loss(part: np.ndarray) -> Tensor:
            batch = model.collator(data, part)
            return intra_video_loss(network(batch), batch.segments, batch.exit, model.config.max_segments)

    optimizer = torch.optim.AdamW(network.parameters(), 1e-5)

    def step() -> None:
        network.train()
        optimizer.zero_grad(set_to_none=True)
        for part in parts:
            (loss(part) * (len(part) / views)).backward()
        optimizer.step()

    return step


def ask(model: SegmentModel, data: Dataset) -> None:
    """The question asked once more, as by a server: only the past stays the same object."""
    model.predict(Dataset(data.views, data.past, data.history, data.store))


def timed(call: Callable[[], Any]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    call()
    return 1000 * (time.process_time() - cpu), 1000 * (time.perf_counter() - wall)


def measure(world: World, models: Mapping[str, SegmentModel], options: argparse.Namespace) -> Times:
    times: Times = defaultdict(list)
    for count in CANDIDATES:
        data = world.candidates(count)
        for label, model in models.items():
            times[label, f"score {count}, first"].append(timed(partial(ask, model, data)))
        for _ in range(options.rounds):
            for label, model in models.items():
                times[label, f"score {count}"].append(timed(partial(ask, model, data)))
    taken = {label: steps(model, world.data, options.views, options.chunk) for label, model in models.items()}
    for _ in range(options.step_rounds):
        for label, step in taken.items():
            times[label, f"step {options.views}"].append(timed(step))
    return times


def show(times: Times, options: argparse.Namespace) -> bool:
    """Print the table; whether all targets are met."""
    median = {key: [statistics.median(part) for part in zip(*values, strict=True)] for key, values in times.items()}
    print(f"{'':16} {'model':22} {'CPU ms':>9} {'wall ms':>9} {'paper / this':>12}")
    for what in dict.fromkeys(what for _, what in median):
        for label in MODELS:
            cpu, wall = median[label, what]
            print(f"{what:16} {label:22} {cpu:9.1f} {wall:9.1f} {median[REFERENCE, what][0] / cpu:12.1f}")
    step = f"step {options.views}"
    found = {
        f"hazard: 500 candidates in <= {MOST_MS:g} ms of CPU": median["hazard", "score 500"][0] <= MOST_MS,
        **{
            f"{label}: {n} candidates >= {LEAST_RATIO:g} x faster than the paper's model":
            median[REFERENCE, f"score {n}"][0] >= LEAST_RATIO * median[label, f"score {n}"][0]
            for label in MODELS if label != REFERENCE for n in CANDIDATES
        },
        **{
            f"{label}: step no dearer than the paper's": median[label, step][0] <= median[REFERENCE, step][0]
            for label in MODELS if label != REFERENCE
        },
    }  # fmt: skip
    for target, met in found.items():
        print(f"{'met   ' if met else 'MISSED'} {target}")
    return all(found.values())


def large(views: int, videos: int) -> None:
    """One epoch of one network on a random log without features."""
    users = max(views // 100, 1)
    duration_ms = np.random.default_rng(3).integers(5_000, 200_000, videos)
    data = make_dataset(random_log(users, videos, views // users, duration_ms))
    split = temporal_split(data.views)
    model = make_model("hazard", {"members": 1})
    records: list[Mapping[str, Any]] = []
    before = _peak_mib()
    cpu_ms, wall_ms = timed(lambda: model.fit(data, split, FitRun(epochs=1, report=records.append)))
    print(f"{len(data):,} views, {videos:,} videos, {users:,} users; {len(split.train):,} views in training")
    print(f"epoch: {records[0]['epoch_s']:.0f} s, {len(split.train) / records[0]['epoch_s']:,.0f} views/s; "
          f"whole fit with all statistics: {wall_ms / 1000:.0f} s, {cpu_ms / 1000:.0f} s of CPU")  # fmt: skip
    print(f"peak resident memory: {_peak_mib():,.0f} MiB, of which {before:,.0f} MiB before the fit")


def _peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--step-rounds", type=int, default=3)
    parser.add_argument("--views", type=int, help="1024; with --large 1 million")
    parser.add_argument("--videos", type=int, default=200_000)
    parser.add_argument("--chunk", type=int, default=128)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.large:
        large(options.views or 1_000_000, options.videos)
        return 0
    options.views = options.views or 1024
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder))
        met = show(measure(world, fitted(world), options), options)
        world.store.close()
    return int(not met)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    raise SystemExit(main())

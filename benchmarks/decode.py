"""CPU seconds of our reader against a plain PyAV pass, side by side, and whether the pictures are the same bits.

    python benchmarks/decode.py [--videos N] [--rounds N] [--folder DIR] [--quick]

Makes portrait 720 x 1280 H.264 videos at 30 fps of 15 to 60 s, half with a keyframe every 250 pictures and half every
30, with sound. The plain pass opens a file, decodes every picture on one thread, and scales those on screen at the
middle of every 5 s segment to 224 pixels; ours is `open_video(...).frames(...)`. Rounds alternate between the two.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from segfeat.decode import open_video
from segfeat.decode.display import read_display
from segfeat.segment import frame_times, segment_spans
from segfeat.types import Float32, Float64, UInt8

SIZE = (720, 1280)
FPS = 30
SHORT_SIDE = 224
AUDIO_RATE = 44100


def make_videos(
    folder: Path, count: int = 40, size: tuple[int, int] = SIZE, seconds: tuple[int, int] = (15, 60), seed: int = 0
) -> list[Path]:
    """Write ``count`` portrait phone-like videos (moving textures, a tone), skipping those that are there already.

    Lengths are spread over ``seconds``; even ones have a keyframe every 250 pictures, odd ones every 30. Only the
    longest of each kind is encoded; the others are cut from it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    lengths = np.linspace(*seconds, count).round().astype(int)
    paths = []
    for number, length in enumerate(rng.permutation(lengths).tolist()):
        gop = (250, 30)[number % 2]
        path = folder / f"{size[0]}x{size[1]}-{number:03d}-{length}s-gop{gop}.mp4"
        paths.append(path)
        if path.exists():
            continue
        longest = folder / f"longest-{size[0]}x{size[1]}-gop{gop}.mp4"
        unfinished = folder / "unfinished.mp4"
        if not longest.exists():
            make_video(unfinished, max(seconds), gop, size, seed + gop)
            unfinished.replace(longest)
        cut(longest, unfinished, length)
        unfinished.replace(path)
    return paths


def cut(source: Path, target: Path, seconds: int) -> None:
    """The beginning of a video without encoding it again, up to where no picture is missing."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        pairs = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams}
        count, latest, first = 0, -1, 0
        for packet in reader.demux():
            if packet.dts is None or packet.pts is None:
                continue
            if packet.stream.type == "video":
                if count >= seconds * FPS and latest == count - 1:
                    break
                first = packet.pts if count == 0 else first
                latest = max(latest, round((packet.pts - first) * packet.time_base * FPS))
                count += 1
            packet.stream = pairs[packet.stream.index]
            writer.mux(packet)


def make_video(path: Path, seconds: int, gop: int, size: tuple[int, int], seed: int) -> None:
    """One video: two textures that drift over each other under some noise, and a tone of changing pitch."""
    rng = np.random.default_rng(seed)
    width, height = size
    brightness = [_texture(rng, width, height, 110) for _ in range(2)]
    colours = [_texture(rng, width // 2, height // 2, 256) for _ in range(2)]
    noise = rng.integers(0, 5, (8, height, width), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        options = {"preset": "superfast", "crf": "32", "x264-params": f"keyint={gop}:scenecut=0:bframes=3"}
        video = container.add_stream("libx264", rate=FPS, options=options)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=AUDIO_RATE, layout="mono")
        for index in range(seconds * FPS):
            luma = _drift(brightness[0], width, height, index, 3) + _drift(brightness[1], width, height, index, 2)
            planes = [luma + noise[index % len(noise)]]
            planes += [_drift(colour, width // 2, height // 2, index, 1) for colour in colours]
            frame = av.VideoFrame.from_ndarray(np.concatenate([p.reshape(-1, width) for p in planes]), "yuv420p")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(video.encode(frame))
            if index % FPS == 0:
                container.mux(_second_of_sound(audio, index // FPS, rng))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _second_of_sound(stream: av.AudioStream, second: int, rng: np.random.Generator) -> list[av.Packet]:
    wave = 0.3 * np.sin(2 * np.pi * rng.integers(200, 2000) * np.arange(AUDIO_RATE) / AUDIO_RATE)
    frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
    frame.sample_rate, frame.pts = AUDIO_RATE, second * AUDIO_RATE
    return stream.encode(frame)


_DRIFT = 512
"""Pixels by which textures exceed the picture, to drift within."""


def _texture(rng: np.random.Generator, width: int, height: int, brightest: int) -> UInt8:
    tiles = rng.integers(0, brightest, ((height + _DRIFT) // 40 + 1, (width + _DRIFT) // 40 + 1), dtype=np.uint8)
    return np.repeat(np.repeat(tiles, 40, axis=0), 40, axis=1)


def _drift(texture: UInt8, width: int, height: int, index: int, speed: int) -> UInt8:
    at = _DRIFT - abs(index * speed % (2 * _DRIFT) - _DRIFT)
    return texture[at : at + height, at : at + width]


def plain_pass(path: Path, times_s: Float64) -> list[UInt8]:
    """Decode every picture of the first video stream on one thread; scale those on screen at ``times_s``."""
    pictures: list[UInt8] = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.codec_context.thread_count = 1
        reformatter, display, shown = VideoReformatter(), None, None
        for frame in container.decode(stream):
            display = display or read_display(frame, stream.sample_aspect_ratio).scaled(SHORT_SIDE)
            while len(pictures) < len(times_s) and frame.time > times_s[len(pictures)] + 1e-6:
                pictures.append(display.picture(shown, reformatter))
            shown = frame
        pictures += [display.picture(shown, reformatter)] * (len(times_s) - len(pictures))
    return pictures


def our_pass(path: Path, times_s: Float64) -> list[UInt8]:
    """The same pictures by the reader, its opening and its look at the packets included."""
    reader = open_video(path)
    return [frame.image for frame in reader.frames(times_s, SHORT_SIDE) if frame is not None]


def segment_times(path: Path) -> Float64:
    """The middle of every 5 s segment."""
    return frame_times(segment_spans(open_video(path).info.duration_s)).ravel()


def cpu_seconds(read: Callable[[Path, Float64], list[UInt8]], paths: Sequence[Path]) -> tuple[float, list[list[UInt8]]]:
    """CPU seconds of reading all files, and what was read."""
    times = [segment_times(path) for path in paths]
    begin = time.process_time()
    pictures = [read(path, times_s) for path, times_s in zip(paths, times, strict=True)]
    return time.process_time() - begin, pictures


def sound_seconds(paths: Sequence[Path]) -> tuple[float, int]:
    """CPU seconds of reading all sound at 16 kHz, and the number of segments."""
    begin, waves = time.process_time(), list[Float32]()
    for path in paths:
        reader = open_video(path)
        waves += reader.audio(segment_spans(reader.info.duration_s), 16000)
    return time.process_time() - begin, len(waves)


def main() -> None:
    """Make the videos, alternate the rounds, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path("benchmark-videos"))
    parser.add_argument("--quick", action="store_true", help="2 videos, 1 round")
    options = parser.parse_args()
    if options.quick:
        options.videos, options.rounds = 2, 1
    paths = make_videos(options.folder / "videos", options.videos)
    for gop in (250, 30):
        group = [path for path in paths if path.stem.endswith(f"gop{gop}")]
        seconds: dict[str, list[float]] = {"plain": [], "ours": []}
        same = True
        for _ in range(options.rounds):
            plain_s, expected = cpu_seconds(plain_pass, group)
            ours_s, got = cpu_seconds(our_pass, group)
            seconds["plain"].append(plain_s)
            seconds["ours"].append(ours_s)
            same &= all(
                len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
                for a, b in zip(expected, got, strict=True)
            )
        segments = sum(len(segment_times(path)) for path in group)
        plain, ours = (np.median(seconds[name]) for name in ("plain", "ours"))
        print(
            f"gop {gop:3d}: {segments} segments, CPU ms each: plain {1000 * plain / segments:.1f}, "
            f"ours {1000 * ours / segments:.1f}, ratio {ours / plain:.3f}, identical {same}"
        )
    sound_s, segments = sound_seconds(paths)
    print(f"sound to 16 kHz: {1000 * sound_s / segments:.1f} CPU ms a segment")


if __name__ == "__main__":
    main()

"""Small real media files for tests, made with PyAV: every picture carries its number, every second of sound a click.

A picture is a grid of 4 x 4 blocks: red, green, blue and black corners fix its orientation, the other twelve blocks
are the bits of its number. The sound is silent but for a click of 4 ms at every whole second of the picture's time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition

WIDTH, HEIGHT, FPS = 128, 96, 25
_BITS = [(row, col) for row in range(4) for col in range(4) if (row, col) not in {(0, 0), (0, 3), (3, 0), (3, 3)}]
_CORNERS = {(0, 0): (255, 0, 0), (0, 3): (0, 255, 0), (3, 0): (0, 0, 255), (3, 3): (0, 0, 0)}
CLICK_S = 0.004

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Picture:
    """How the video stream is encoded; ``pts`` in ticks of 1 / (40 * fps) s, evenly spaced if empty.

    ``rotation`` is the clockwise turn that players must apply, ``mirrored`` a left-right swap.
    """

    count: int = 75
    size: tuple[int, int] = (WIDTH, HEIGHT)
    fps: int = FPS
    codec: str = "libx264"
    gop: int = 25
    b_frames: int = 0
    pix_fmt: str = "yuv420p"
    pts: Sequence[int] = ()
    offset_s: float = 0.0
    rotation: int = 0
    mirrored: bool = False
    sample_aspect: Fraction | None = None
    first_number: int = 0
    default: bool = True
    full_range: bool = False
    options: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Sound:
    """How the audio stream is encoded; ``offset_s`` is where it starts on the picture's timeline."""

    duration_s: float = 3.0
    offset_s: float = 0.0
    rate: int = 44100
    layout: str = "stereo"
    codec: str = "aac"
    default: bool = True
    level: float = 0.9


def number_picture(number: int, width: int = WIDTH, height: int = HEIGHT) -> Array:
    """The picture of a number below 4096, uint8 (height, width, 3)."""
    image = np.zeros((height, width, 3), np.uint8)
    rows = np.linspace(0, height, 5).round().astype(int)
    cols = np.linspace(0, width, 5).round().astype(int)
    colours = dict(_CORNERS)
    colours |= {block: (255, 255, 255) if number >> bit & 1 else (0, 0, 0) for bit, block in enumerate(_BITS)}
    for (row, col), colour in colours.items():
        image[rows[row] : rows[row + 1], cols[col] : cols[col + 1]] = colour
    return image


def read_number(image: Array) -> int:
    """The number in a picture; -1 if its corners are not where they belong."""
    height, width = image.shape[:2]

    def block(row: int, col: int) -> Array:
        y, x = (np.array([row, row + 1]) * height / 4), (np.array([col, col + 1]) * width / 4)
        inside = image[round(y[0] + height / 12) : round(y[1] - height / 12) + 1]
        mean: Array = inside[:, round(x[0] + width / 12) : round(x[1] - width / 12) + 1].mean(axis=(0, 1))
        return mean

    for place, colour in _CORNERS.items():
        if ((block(*place) > 100) != (np.array(colour) > 100)).any():
            return -1
    return sum(int(block(*place).mean() > 127) << bit for bit, place in enumerate(_BITS))


def click_track(sound: Sound) -> Array:
    """Samples (n,) of the track: clicks at whole seconds of the picture's time."""
    n = round(sound.duration_s * sound.rate)
    t = np.arange(n) / sound.rate + sound.offset_s
    inside = (t - np.floor(t + 1e-9) < CLICK_S) & (t > -1e-9)
    return np.where(inside, sound.level * np.sin(2 * np.pi * 2000 * t), 0.0).astype(np.float32)


def make_video(
    path: Path,
    pictures: Sequence[Picture] = (Picture(),),
    sounds: Sequence[Sound] = (),
    subtitles: Sequence[tuple[float, float, str]] = (),
    container_options: dict[str, str] | None = None,
    change_packet: Callable[[int, Any], bool] | None = None,
    subtitle_codec: str = "",
) -> Path:
    """Write a media file with the given streams, packets interleaved by time.

    ``change_packet(index, packet)`` may alter the first video stream's packets, in decoding order, and leaves out those
    for which it is False.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        # A negative sound offset is a later picture: containers start at zero.
        lead = max([0.0, *(-sound.offset_s for sound in sounds)])
        encoders = [_video_packets(container, picture, lead) for picture in pictures]
        encoders += [_audio_packets(container, sound, lead) for sound in sounds]
        text = _text_stream(container, path, subtitle_codec) if subtitles else None
        queue = []
        for number, start in enumerate(encoders):
            for index, packet in enumerate(start()):
                if number == 0 and change_packet is not None and not change_packet(index, packet):
                    continue
                when = float((packet.dts if packet.dts is not None else packet.pts or 0) * packet.time_base)
                queue.append((when, packet))
        if text is not None:
            queue += [(begin, _text_packet(text, begin + lead, end + lead, words)) for begin, end, words in subtitles]
        for _, packet in sorted(queue, key=lambda item: item[0]):
            container.mux(packet)
    return path


def _video_packets(container: Any, picture: Picture, lead: float) -> Callable[[], list[Any]]:
    options = dict(picture.options)
    if picture.codec == "libx264":
        options.setdefault("preset", "ultrafast")
        options.setdefault("x264-params", f"keyint={picture.gop}:min-keyint={picture.gop}:scenecut=0")
    if picture.codec == "libx265":
        options.setdefault("preset", "ultrafast")
        extra = f":keyint={picture.gop}:min-keyint={picture.gop}:scenecut=0:bframes={picture.b_frames}:log-level=none"
        options["x265-params"] = options.get("x265-params", "open-gop=0") + extra + ":pools=none:frame-threads=1"
    if picture.codec == "libsvtav1":
        options = {"preset": "7", "crf": "15"} | options
    if picture.codec.startswith("libvpx"):
        options |= {"deadline": "realtime", "cpu-used": "8"}
    stream = container.add_stream(picture.codec, rate=picture.fps, options=options)
    stream.width, stream.height = picture.size
    stream.pix_fmt = picture.pix_fmt
    context = stream.codec_context
    tick = Fraction(1, 40 * picture.fps)
    context.time_base = tick if picture.codec != "mpeg4" else Fraction(1, picture.fps)
    context.gop_size, context.max_b_frames, context.thread_count = picture.gop, picture.b_frames, 1
    if picture.codec != "libsvtav1":
        context.bit_rate = 1_000_000
    if picture.full_range:
        context.color_range = 2
    if picture.sample_aspect:
        context.sample_aspect_ratio = picture.sample_aspect
    if picture.rotation or picture.mirrored:
        stream.set_display_rotation(-picture.rotation, hflip=picture.mirrored)
    stream.disposition = Disposition.default if picture.default else 0

    def encode() -> list[Any]:
        packets = []
        stamps = picture.pts or [40 * i for i in range(picture.count)]
        shift = round((lead + picture.offset_s) / tick)
        for number, stamp in enumerate(stamps):
            image = number_picture(number + picture.first_number, *_upright(picture))
            image = image[:, ::-1] if picture.mirrored else image
            image = np.ascontiguousarray(np.rot90(image, picture.rotation // 90))  # stored turned, shown upright
            frame = av.VideoFrame.from_ndarray(image, "rgb24")
            frame = frame.reformat(format=picture.pix_fmt, dst_color_range=2 if picture.full_range else 1)
            frame.pts, frame.time_base = stamp + shift, tick
            packets += stream.encode(frame)
        return packets + stream.encode(None)

    return encode


def _upright(picture: Picture) -> tuple[int, int]:
    width, height = picture.size
    return (height, width) if picture.rotation % 180 else (width, height)


def _audio_packets(container: Any, sound: Sound, lead: float) -> Callable[[], list[Any]]:
    stream = container.add_stream(sound.codec, rate=sound.rate, layout=sound.layout)
    stream.disposition = Disposition.default if sound.default else 0
    channels = stream.codec_context.layout.nb_channels
    mono = click_track(sound)

    def encode() -> list[Any]:
        packets = []
        context = stream.codec_context
        context.open()
        size = context.frame_size or 1024
        resampler = av.AudioResampler(context.format, context.layout, sound.rate)
        begin = round((sound.offset_s + lead) * sound.rate)
        for at in range(0, len(mono), size):
            block = np.repeat(mono[None, at : at + size], channels, axis=0)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), "fltp", sound.layout)
            frame.sample_rate, frame.pts, frame.time_base = sound.rate, begin + at, Fraction(1, sound.rate)
            for converted in resampler.resample(frame):
                packets += stream.encode(converted)
        return packets + stream.encode(None)

    return encode


def _text_stream(container: Any, path: Path, codec: str) -> Any:
    stream = container.add_stream(codec or ("mov_text" if path.suffix == ".mp4" else "subrip"))
    stream.codec_context.subtitle_header = (
        b"[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
        b"Style: Default,Arial,16\n[Events]\nFormat: Layer, Start, End, Style, Text\n"
    )
    return stream


def _text_packet(stream: Any, begin: float, end: float, words: str) -> Any:
    data = words.encode()
    packet = av.Packet(len(data).to_bytes(2, "big") + data if stream.codec_context.name == "mov_text" else data)
    packet.stream, packet.time_base = stream, Fraction(1, 1000)
    packet.pts = packet.dts = round(begin * 1000)
    packet.duration = round((end - begin) * 1000)
    return packet


def copy_from(source: Path, target: Path, start_s: float) -> Path:
    """Cut a file at ``start_s`` without encoding: packets from the keyframe before, shown from the cut (edit list)."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        pairs = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams}
        video = reader.streams.video[0]
        reader.seek(round(start_s / video.time_base), stream=video)
        for packet in reader.demux():
            if packet.dts is None:
                continue
            if packet.stream.type == "audio" and packet.pts * packet.time_base < start_s:
                continue
            shift = round(start_s / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = pairs[packet.stream_index]
            writer.mux(packet)
    return target


def overwrite(path: Path, stream_index: int, packets: Sequence[int], byte: int = 0xFF, spare: int = 0) -> Path:
    """Fill the payload of some packets of a stream, but for their first ``spare`` bytes, with one byte, in place."""
    places = []
    with av.open(str(path)) as container:
        for index, packet in enumerate(container.demux(container.streams[stream_index])):
            if index in packets and packet.pos is not None:
                places.append((packet.pos, packet.size))
    data = bytearray(path.read_bytes())
    for at, size in places:
        data[at + spare : at + size] = bytes([byte]) * (size - spare)
    path.write_bytes(data)
    return path


def retag(path: Path, old: bytes, new: bytes) -> Path:
    """Write another four-letter code into the header of an mp4 file, in place."""
    data = path.read_bytes()
    at = data.index(old, data.index(b"stsd"))
    path.write_bytes(data[:at] + new + data[at + len(old) :])
    return path

"""The files of the contract: what they are called, how they are made, and what is known about them beforehand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from tests.media import Picture, Sound, copy_from, make_video, overwrite

VFR = tuple(np.cumsum([0, *([20, 40, 200, 40, 40, 600] * 10)]).tolist())
_SHUFFLE = (2, 0, 1, 4, 3)


@dataclass(frozen=True)
class Case:
    """One file.

    ``picture`` and ``sound`` are the truth where the file shows just what was encoded; ``partial`` files are damaged;
    ``refused`` is a word of decord's reason to refuse, where it must.
    """

    make: Callable[[Path], Path]
    picture: Picture | None = None
    sound: Sound | None = None
    partial: bool = False
    refused: str = ""


def _plain(picture: Picture, sound: Sound | None = None, refused: str = "") -> Case:
    sounds = [sound] if sound else []
    return Case(lambda path: make_video(path, [picture], sounds), picture, sound, refused=refused)


def _two(first: Picture, second: Picture, chosen: int, refused: str = "") -> Case:
    return Case(lambda path: make_video(path, [first, second]), (first, second)[chosen], refused=refused)


def _edit_list(path: Path) -> Path:
    source = make_video(path.with_name("whole.mp4"), [Picture(b_frames=3, options=MEDIUM)], [Sound()])
    return copy_from(source, path, 1.32)


def _truncated(share: float, **options: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        data = make_video(path, [Picture()], [Sound()], container_options=options).read_bytes()
        path.write_bytes(data[: int(share * len(data))])
        return path

    return make


def _unordered(index: int, packet: Any) -> bool:
    step = packet.pts // index if index else 0
    packet.dts = packet.pts - 5 * step
    packet.pts += (_SHUFFLE[index % 5] - index % 5) * step
    return True


def _noise(path: Path) -> Path:
    return overwrite(make_video(path, [Picture()]), 0, range(30, 33), byte=0x5A, spare=12)


def _late_damage(path: Path) -> Path:
    return overwrite(make_video(path, [Picture()]), 0, [70])


MEDIUM = {"preset": "medium", "x264-params": "keyint=25:bframes=3:b-adapt=0:scenecut=0"}
REFRESH = {"x264-params": "keyint=30:intra-refresh=1"}
OPEN_GOP = {"preset": "medium", "x264-params": "keyint=25:bframes=3:b-adapt=0:open-gop=1:scenecut=0"}
OPUS = Sound(codec="libopus", rate=48000)

CASES: dict[str, Case] = {
    "constant.mp4": _plain(Picture(), Sound()),
    "variable.mp4": _plain(Picture(pts=VFR)),
    "variable.mkv": _plain(Picture(pts=VFR, offset_s=2.0)),
    "edit_list.mp4": Case(_edit_list, refused="edit list"),
    "b_frames.mp4": _plain(Picture(b_frames=3, options=MEDIUM), Sound()),
    "open_gop.mp4": _plain(Picture(b_frames=3, options=OPEN_GOP), refused="open groups"),
    "one_keyframe.mp4": _plain(Picture(gop=1000, b_frames=2, options=MEDIUM | {"x264-params": "keyint=1000"})),
    "intra_refresh.mp4": _plain(Picture(gop=250, options=REFRESH), refused="open groups"),
    "turned_90.mp4": _plain(Picture(rotation=90)),
    "turned_180.mp4": _plain(Picture(rotation=180)),
    "turned_270.mov": _plain(Picture(rotation=270)),
    "mirrored.mp4": _plain(Picture(mirrored=True), refused="mirrored"),
    "wide_pixels.mp4": _plain(Picture(sample_aspect=Fraction(4, 3)), refused="aspect"),
    "tall_pixels.mp4": _plain(Picture(sample_aspect=Fraction(1, 2)), refused="aspect"),
    "two_first_default.mp4": _two(Picture(), Picture(size=(64, 48), first_number=500), 0, refused="64 x 48"),
    "two_small_default.mkv": _two(Picture(default=False, first_number=500), Picture(size=(64, 64)), 1, refused="128"),
    "two_largest.mkv": _two(
        Picture(size=(64, 48), default=False, first_number=500), Picture(default=False, first_number=900), 1
    ),
    "two_alike.mp4": _two(Picture(), Picture(first_number=500), 0, refused="one size"),
    "sound_late.mp4": _plain(Picture(), Sound(offset_s=1.5, duration_s=1.5)),
    "sound_late.mkv": _plain(Picture(), Sound(offset_s=1.5, duration_s=1.5)),
    "sound_early.mp4": _plain(Picture(), Sound(offset_s=-0.05)),
    "sound_early.mkv": _plain(Picture(), Sound(offset_s=-0.05)),
    "sound_short.mp4": _plain(Picture(), Sound(duration_s=1.2)),
    "sound_long.mp4": _plain(Picture(count=30), Sound(duration_s=3.0)),
    "mono_8k.mp4": _plain(Picture(), Sound(layout="mono", rate=8000)),
    "mono_16k.mkv": _plain(Picture(), Sound(layout="mono", rate=16000, codec="pcm_s16le")),
    "stereo_22k.mp4": _plain(Picture(), Sound(rate=22050)),
    "stereo_mp3.mkv": _plain(Picture(), Sound(rate=32000, codec="libmp3lame")),
    "surround_48k.mp4": _plain(Picture(), Sound(layout="5.1", rate=48000)),
    "hevc.mp4": _plain(Picture(codec="libx265"), Sound()),
    "hevc_b_frames.mp4": _plain(Picture(codec="libx265", b_frames=3)),
    "hevc_open_gop.mp4": _plain(
        Picture(codec="libx265", b_frames=3, options={"x265-params": "open-gop=1"}), refused="open groups"
    ),
    "hevc_layers.mp4": _plain(
        Picture(codec="libx265", b_frames=3, options={"x265-params": "open-gop=0:temporal-layers=3:b-pyramid=1"})
    ),
    "vp9.webm": _plain(Picture(codec="libvpx-vp9"), OPUS),
    "vp8.webm": _plain(Picture(codec="libvpx"), OPUS),
    "vp8_hidden.webm": _plain(
        Picture(codec="libvpx", options={"auto-alt-ref": "1", "lag-in-frames": "12"}), refused=""
    ),
    "av1.mkv": _plain(Picture(codec="libsvtav1"), refused="AV1"),
    "av1.mp4": _plain(Picture(codec="libsvtav1"), Sound(), refused="AV1"),
    "mpeg4.avi": _plain(Picture(codec="mpeg4"), Sound(codec="pcm_s16le"), refused="avi"),
    "mpeg4_b_frames.avi": _plain(Picture(codec="mpeg4", b_frames=2), refused="avi"),
    "stream.ts": _plain(Picture(b_frames=2, options=MEDIUM), Sound(codec="mp2"), refused="mpegts"),
    "flash.flv": _plain(Picture(b_frames=2, options=MEDIUM), Sound(), refused="flv"),
    "bare.h264": _plain(Picture(), refused="h264"),
    "ten_bit.mp4": _plain(Picture(pix_fmt="yuv420p10le")),
    "full_range.mp4": _plain(Picture(full_range=True)),
    "odd.webm": _plain(Picture(size=(131, 97), codec="libvpx-vp9")),
    "odd_444.mp4": _plain(Picture(size=(131, 97), pix_fmt="yuv444p")),
    "one_picture.mp4": _plain(Picture(count=1)),
    "one_picture.mkv": _plain(Picture(count=1)),
    "short.mp4": _plain(Picture(count=7), Sound(duration_s=0.28)),
    "five_seconds.mp4": _plain(Picture(count=125), Sound(duration_s=5.0)),
    "damaged.mp4": Case(
        lambda path: overwrite(make_video(path), 0, [30, 31]), partial=True, refused="damage"
    ),
    "damaged_long.mp4": Case(
        lambda path: overwrite(make_video(path, [Picture(count=150, gop=150)]), 0, range(30, 90)),
        partial=True,
        refused="damage",
    ),
    "damaged_start.mp4": Case(lambda path: overwrite(make_video(path), 0, [0, 1]), partial=True, refused="damage"),
    "damaged_late.mp4": Case(_late_damage, partial=True, refused="damage"),
    "noise.mp4": Case(_noise, partial=True),
    "truncated.mp4": Case(_truncated(0.6, movflags="faststart"), partial=True, refused="damage"),
    "truncated.mkv": Case(_truncated(0.6), partial=True, refused="damage"),
    "unordered.mkv": Case(
        lambda path: make_video(path, [Picture(gop=250)], change_packet=_unordered), refused="times"
    ),
}  # fmt: skip

"""Files as they come from phones, shops and broken downloads: each kind made here, with some of its relatives."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from segfeat.decode import DecodeError, VideoReader, open_video
from tests.media import FPS, Picture, Sound, make_video, number_picture, read_number, retag

KEY = {
    "encryption_scheme": "cenc-aes-ctr", "encryption_key": "00112233445566778899aabbccddeeff",
    "encryption_kid": "0123456789abcdef0123456789abcdef",
}  # fmt: skip


def numbers(reader: VideoReader, times_s: list[float]) -> list[int]:
    """The numbers of the pictures on screen."""
    return [-2 if frame is None else read_number(frame.image) for frame in reader.frames(times_s)]


def failure(path: Path) -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        open_video(path)
    return caught.value


# -- encrypted ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "picture", "options"),
    [
        ("a.mp4", Picture(b_frames=2), {}),
        ("a.mov", Picture(), {}),
        ("hevc.mp4", Picture(codec="libx265"), {}),
        ("fragments.mp4", Picture(), {"movflags": "frag_keyframe+empty_moov"}),
    ],
)
def test_encrypted_pictures_are_refused(tmp_path: Path, name: str, picture: Picture, options: dict[str, str]) -> None:
    path = make_video(tmp_path / name, [picture], [Sound()], container_options=KEY | options)
    assert failure(path).code == "encrypted"


@pytest.mark.parametrize("tag", [b"encv", b"drmi"])
def test_pictures_with_the_entry_of_encrypted_ones_are_refused(tmp_path: Path, tag: bytes) -> None:
    assert failure(retag(make_video(tmp_path / "a.mp4"), b"avc1", tag)).code == "encrypted"


def test_encrypted_sound_costs_the_sound(tmp_path: Path) -> None:
    """The pictures of one file with the encrypted sound of another."""
    secret = make_video(tmp_path / "secret.mp4", [Picture(count=1)], [Sound()], container_options=KEY)
    path = retag(make_video(tmp_path / "a.mp4", [Picture()], [Sound()]), b"mp4a", b"enca")
    reader = open_video(path)
    assert not reader.info.has_audio
    assert reader.problems == ["1 x sound that cannot be read (first: it is encrypted)"]
    assert numbers(reader, [1.0]) == [25]
    assert secret.exists()


# -- sound -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "codec", "old", "new"),
    [
        ("a.mkv", "aac", b"A_AAC", b"A_XYZ"),
        ("a.mov", "pcm_s16le", b"sowt", b"zzzz"),
        ("a.avi", "mp2", b"P\0", b"\xee\xee"),
    ],
)
def test_sound_that_no_decoder_knows_leaves_a_note(
    tmp_path: Path, name: str, codec: str, old: bytes, new: bytes
) -> None:
    path = make_video(tmp_path / name, [Picture()], [Sound(codec=codec)])
    data = path.read_bytes()
    at = data.index(old, data.index(b"auds") + 60 if name == "a.avi" else 0)
    path.write_bytes(data[:at] + new + data[at + len(old) :])
    reader = open_video(path)
    assert "1 x sound that cannot be read (first: no decoder knows its codec)" in reader.problems
    assert [len(wave) for wave in reader.audio(np.array([[0.0, 1.0], [1.0, 3.0]]), 8000)] == [0, 0]
    assert numbers(reader, [0.0, 2.0]) == [0, 50]


def boxes(data: bytes, *kinds: bytes) -> list[int]:
    """Where the boxes of such kinds begin, each inside the one before; a sample entry of sound has 36 bytes before."""
    places, at, end = [], 0, len(data)
    for kind in kinds:
        while data[at + 4 : at + 8] != kind:
            size = int.from_bytes(data[at : at + 4], "big")
            at += size
            assert size >= 8
            assert at < end
        places.append(at)
        end = at + int.from_bytes(data[at : at + 4], "big")
        at += {b"stsd": 16, b"sowt": 52}.get(kind, 8)
    return places


def with_channels(path: Path, labels: list[int]) -> Path:
    """Give the PCM sound of a mov file, which must be its only stream of sound, an order of channels of its own."""
    data = path.read_bytes()
    moov = boxes(data, b"moov")[0]
    trak = moov + data[moov:].index(b"soun")
    trak = data.rindex(b"trak", 0, trak) - 4
    inner = boxes(data[trak:], b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"sowt")
    entry = trak + inner[-1]
    entry_end = entry + int.from_bytes(data[entry : entry + 4], "big")
    old = data.find(b"chan", entry, entry_end) - 4
    size = int.from_bytes(data[old : old + 4], "big") if old > 0 else 0
    old = old if old > 0 else entry_end
    body = struct.pack(">4xIII", 0, 0, len(labels)) + b"".join(struct.pack(">II3f", k, 0, 0, 0, 0) for k in labels)
    box = struct.pack(">I4s", len(body) + 8, b"chan") + body
    changed = bytearray(data[:old] + box + data[old + size :])
    for at in [moov, *(trak + place for place in inner)]:
        length = int.from_bytes(data[at : at + 4], "big") + len(box) - size
        changed[at : at + 4] = length.to_bytes(4, "big")
    path.write_bytes(changed)
    return path


@pytest.mark.parametrize("labels", [[2, 1], [1, 2], [1, 1], [0xFFFFFFFF, 2], [45, 44]])
def test_an_order_of_channels_of_its_own_is_no_danger(tmp_path: Path, labels: list[int]) -> None:
    plain = make_video(tmp_path / "plain.mov", [Picture()], [Sound(codec="pcm_s16le", rate=16000)])
    spans = np.array([[0.0, 1.5], [1.5, 3.0]])
    expected = list(open_video(plain).audio(spans, 16000))
    reader = open_video(with_channels(plain, labels))
    for _ in range(3):
        waves = list(reader.audio(spans, 16000))
        for wave, right in zip(waves, expected, strict=True):
            np.testing.assert_allclose(wave, right, atol=1e-4)
    assert numbers(reader, [1.0]) == [25]


def tone(path: Path, codec: str, layout: str) -> Path:
    """A video with a tone of 440 Hz in all channels of its sound, half as loud as can be."""
    silent = make_video(path.with_name("silent.mkv"), [Picture()])
    rate = 16000
    with av.open(str(silent)) as reader, av.open(str(path), "w") as writer:
        video = writer.add_stream_from_template(reader.streams.video[0])
        audio = writer.add_stream(codec, rate=rate, layout=layout)
        context = audio.codec_context
        context.open()
        wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(3 * rate) / rate)
        resampler = av.AudioResampler(context.format, context.layout, rate, context.frame_size or 1024)
        samples = np.repeat(wave.astype(np.float32), context.layout.nb_channels)[None]
        frame = av.AudioFrame.from_ndarray(samples, "flt", layout)
        frame.sample_rate, frame.pts = rate, 0
        for converted in [*resampler.resample(frame), *resampler.resample(None)]:
            for packet in audio.encode(converted):
                writer.mux(packet)
        for packet in audio.encode(None):
            writer.mux(packet)
        for packet in reader.demux():
            if packet.size:
                packet.stream = video
                writer.mux(packet)
    return path


@pytest.mark.parametrize(
    ("codec", "layout"),
    [
        ("aac", "7.1"), ("aac", "7.1(wide)"), ("flac", "7.1"), ("pcm_s16le", "7.1.4"), ("pcm_s16le", "hexadecagonal"),
        ("pcm_f64le", "octagonal"), ("libopus", "7.1"),
    ],
)  # fmt: skip
def test_many_channels_are_heard(tmp_path: Path, codec: str, layout: str) -> None:
    [wave] = open_video(tone(tmp_path / "many.mkv", codec, layout)).audio(np.array([[0.5, 2.5]]), 16000)
    spectrum = np.abs(np.fft.rfft(wave)) / len(wave) * 2
    assert np.argmax(spectrum) == 440 * 2
    assert spectrum.max() == pytest.approx(0.5, abs=0.15)  # the low channel of a layout has no such tone


# -- what describes a picture ------------------------------------------------------------------------------------------


def jpegs(path: Path, count: int, orientation: int = 0) -> Path:
    """A file of JPEG pictures with EXIF in each of them, as cameras make."""
    exif = Image.Exif()
    exif[0x010F] = "A camera"
    if orientation:
        exif[0x0112] = orientation
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p"
        for number in range(count):
            buffer = io.BytesIO()
            Image.fromarray(number_picture(number)).save(buffer, "JPEG", exif=exif, quality=95)
            packet = av.Packet(buffer.getvalue())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base, packet.duration, packet.is_keyframe = Fraction(1, FPS), 1, True
            container.mux(packet)
    return path


@pytest.mark.parametrize("name", ["a.avi", "a.mkv", "a.mov"])
def test_exif_in_pictures_does_not_lose_them(tmp_path: Path, name: str) -> None:
    reader = open_video(jpegs(tmp_path / name, 150))
    assert reader.info.duration_s == pytest.approx(6.0)
    assert numbers(reader, [0.0, 1.0, 2.5, 5.99]) == [0, 25, 62, 149]
    assert reader.problems == []


# -- which track, which shape, how long --------------------------------------------------------------------------------


MOVING = Picture(count=75)
STILLS = Picture(pts=(0, 1000, 2000), size=(256, 192), first_number=900)


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv"])
@pytest.mark.parametrize("order", ["moving first", "stills first"])
@pytest.mark.parametrize("stills", [STILLS, Picture(count=1, size=(512, 384), first_number=900)])
def test_the_moving_picture_is_the_video(tmp_path: Path, name: str, order: str, stills: Picture) -> None:
    """Phones put a few stills in the size of a photograph beside the moving picture."""
    pictures = [MOVING, stills] if order == "moving first" else [stills, MOVING]
    reader = open_video(make_video(tmp_path / name, pictures))
    assert (reader.info.width, reader.info.height) == (128, 96)
    assert reader.info.duration_s == pytest.approx(3.0)
    assert numbers(reader, [0.5, 2.5]) == [12, 62]


def test_of_two_moving_pictures_the_larger_one(tmp_path: Path) -> None:
    large = Picture(size=(256, 192), first_number=900)
    assert open_video(make_video(tmp_path / "a.mp4", [MOVING, large])).info.width == 256


@pytest.mark.parametrize("suffix", [".ts", ".h264"])
@pytest.mark.parametrize("short_side", [None, 48])
def test_a_picture_that_changes_shape_keeps_its_own(tmp_path: Path, suffix: str, short_side: int | None) -> None:
    shapes = [(128, 96), (96, 128), (256, 96)]
    parts = [
        make_video(tmp_path / f"{i}{suffix}", [Picture(count=50, size=size, first_number=50 * i)])
        for i, size in enumerate(shapes)
    ]
    path = tmp_path / f"joined{suffix}"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    reader = open_video(path)
    assert reader.info.duration_s == pytest.approx(6.0, abs=0.1)
    frames = list(reader.frames([1.0, 3.0, 5.0], short_side))
    for (width, height), frame in zip(shapes, frames, strict=True):
        assert frame is not None
        scale = 1 if short_side is None else short_side / min(width, height)
        assert frame.image.shape == (height * scale, width * scale, 3)
    assert [read_number(frame.image) for frame in frames if frame] == [25, 75, 125]


# -- cut off -----------------------------------------------------------------------------------------------------------


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(share * len(data))]


def _in_the_index(data: bytes) -> bytes:
    at = data.index(b"moov") - 4
    return data[: at + int.from_bytes(data[at : at + 4], "big") // 2]


@pytest.mark.parametrize(
    "damage", [_cut(0.3), _cut(0.7), lambda data: data[:40], _in_the_index, lambda data: _cut(0.5)(data) + bytes(5000)]
)
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_a_file_without_its_index_is_cut_off_or_still_being_written(
    tmp_path: Path, name: str, damage: Callable[[bytes], bytes]
) -> None:
    path = make_video(tmp_path / name, [Picture()], [Sound()])
    path.write_bytes(damage(path.read_bytes()))
    error = failure(path)
    assert error.code == "not_a_video"
    assert "cut off or still being written" in str(error)


def test_a_fast_start_file_cut_off_in_its_index_says_so(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", [Picture()], container_options={"movflags": "faststart"})
    path.write_bytes(_in_the_index(path.read_bytes()))
    assert "cut off or still being written" in str(failure(path))


@pytest.mark.parametrize("data", [b"moov" * 100, b"\0\0\0\x18ftypisom", bytes(4000), b"\x1a\x45\xdf\xa3" + bytes(500)])
def test_other_broken_files_are_not_said_to_be_cut_off_videos(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.mp4").write_bytes(data)
    assert failure(tmp_path / "a.mp4").code in ("not_a_video", "no_video_stream")


# -- how long ----------------------------------------------------------------------------------------------------------

PAUSED = (*range(0, 2000, 40), 2000, 4000)
"""Ticks of a millisecond: 2 s of movement, and two pictures that stand."""


def _last_for(seconds: float) -> Callable[[int, av.Packet], bool]:
    """The picture at 4 s says that it lasts so long."""

    def change(index: int, packet: av.Packet) -> bool:
        if packet.pts is not None and packet.pts * packet.time_base >= 3.99:
            packet.duration = round(seconds / packet.time_base)
        return True

    return change


@pytest.mark.parametrize("b_frames", [0, 2, 3])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
def test_the_last_picture_lasts_as_long_as_the_track(tmp_path: Path, name: str, b_frames: int) -> None:
    path = make_video(tmp_path / name, [Picture(pts=PAUSED, b_frames=b_frames)], change_packet=_last_for(3.0))
    reader = open_video(path)
    assert reader.info.duration_s == pytest.approx(7.0, abs=2e-3)
    assert reader.problems == []
    assert numbers(reader, [1.0, 3.0, 6.5]) == [25, 50, 51]


@pytest.mark.parametrize(("shown_ms", "seconds"), [(3500, 3.5), (1500, 1.5), (4020, 4.02)])
@pytest.mark.parametrize("b_frames", [2, 3])
def test_an_edit_list_cuts_off_the_end_of_reordered_pictures(
    tmp_path: Path, b_frames: int, shown_ms: int, seconds: float
) -> None:
    """Though the header of the media, which is made from decoding times, says something else."""
    path = make_video(tmp_path / "a.mp4", [Picture(pts=PAUSED, b_frames=b_frames)])
    data = bytearray(path.read_bytes())
    at, scale = data.index(b"elst"), int.from_bytes(data[data.index(b"mvhd") + 16 :][:4], "big")
    data[at + 12 : at + 16] = (shown_ms * scale // 1000).to_bytes(4, "big")
    path.write_bytes(data)
    assert open_video(path).info.duration_s == pytest.approx(seconds, abs=2e-3)

"""Sound, span by span: exact lengths, silence where there is none, and nothing that hangs on how it was asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from torchaudio.functional import resample

from segfeat.decode import open_video
from segfeat.segment import segment_spans
from tests.media import Picture, Sound, make_video, overwrite

Media = Callable[[str], Path]


def tile(end_s: float, step_s: float) -> np.ndarray:
    edges = np.append(np.arange(0, end_s - 1e-9, step_s), end_s)
    return np.stack([edges[:-1], edges[1:]], axis=1)


@pytest.mark.parametrize(
    "name", ["constant.mp4", "sound_late.mp4", "sound_early.mkv", "surround_48k.mp4", "mono_8k.mp4"]
)
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_sample_does_not_hang_on_the_spans_asked_for(name: str, rate: int, media_file: Media) -> None:
    reader = open_video(media_file(name))
    whole = next(reader.audio(np.array([[0.0, 3.0]]), rate))
    for spans in (tile(3.0, 0.7), tile(3.0, 1.0), np.array([[0.5, 2.5], [0.75, 1.0], [0.75, 2.9]])):
        for (start, end), wave in zip(spans, reader.audio(spans, rate), strict=True):
            begin = round(start * rate)
            n = round((end - start) * rate)
            expected = whole[begin : begin + n]
            assert len(wave) in (n, 0)
            np.testing.assert_array_equal(wave if len(wave) else np.zeros(n, np.float32), expected)


def test_spans_have_their_exact_length_and_silence_is_not_absence(media_file: Media) -> None:
    late = list(open_video(media_file("sound_late.mp4")).audio(tile(3.0, 1.0), 16000))
    assert [len(wave) for wave in late] == [0, 16000, 16000]
    assert not late[1][: 16000 * 45 // 100].any()
    short = list(open_video(media_file("sound_short.mp4")).audio(segment_spans(3.0, 0.9), 16000))
    assert [len(wave) for wave in short] == [14400, 14400, 0, 0]
    assert not short[1][16000 * 45 // 100 :].any()


def test_without_sound_every_span_is_empty(media_file: Media) -> None:
    reader = open_video(media_file("variable.mp4"))
    assert not reader.info.has_audio
    assert [len(wave) for wave in reader.audio(tile(10.0, 5.0), 16000)] == [0, 0]


def test_wrong_requests_are_refused(media_file: Media) -> None:
    reader = open_video(media_file("constant.mp4"))
    with pytest.raises(ValueError, match="ascend"):
        reader.audio(np.array([[1.0, 2.0], [0.0, 1.0]]), 16000)
    with pytest.raises(ValueError, match="at least 1 Hz"):
        reader.audio(np.array([[1.0, 2.0]]), 0)
    with pytest.raises(ValueError, match="ascend"):
        reader.frames([1.0, 0.5])
    with pytest.raises(ValueError, match="ascend"):
        reader.frames([float("nan")])
    with pytest.raises(ValueError, match="at least 1 pixel"):
        reader.frames([0.0], 0)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = np.stack([np.full(8000, 0.5), np.zeros(8000)]).astype(np.float32)
    path = _with_samples(tmp_path / "left.mkv", left, 8000, "stereo")
    wave = next(open_video(path).audio(np.array([[0.0, 1.0]]), 8000))
    np.testing.assert_allclose(wave[100:-100], 0.25, atol=1e-3)


@pytest.mark.parametrize("source_rate", [8000, 22050, 44100, 48000])
def test_resampling_agrees_with_torchaudio(source_rate: int, tmp_path: Path) -> None:
    t = np.arange(2 * source_rate) / source_rate
    tones = (0.3 * np.sin(2 * np.pi * 440 * t) + 0.2 * np.sin(2 * np.pi * 1234 * t)).astype(np.float32)
    path = _with_samples(tmp_path / "tones.mkv", tones[None], source_rate, "mono")
    ours = next(open_video(path).audio(np.array([[0.0, 2.0]]), 16000))
    theirs = resample(torch.from_numpy(tones), source_rate, 16000, lowpass_filter_width=64).numpy()
    inside = slice(400, -400)
    assert np.abs(ours[inside] - theirs[inside]).max() < 2e-3


def test_a_hole_in_the_sound_is_silence_and_shifts_nothing(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hole.mkv", [Picture()], [Sound(codec="pcm_s16le", rate=16000)])
    with av.open(str(path)) as reader, av.open(str(tmp_path / "holed.mkv"), "w") as writer:
        pairs = {stream.index: writer.add_stream_from_template(stream) for stream in reader.streams}
        for packet in reader.demux():
            hidden = packet.stream.type == "audio" and packet.pts is not None and 0.8 < packet.pts / 1000 < 1.6
            if packet.dts is not None and not hidden:
                packet.stream = pairs[packet.stream_index]
                writer.mux(packet)
    whole = next(open_video(path).audio(np.array([[0.0, 3.0]]), 16000))
    holed = next(open_video(tmp_path / "holed.mkv").audio(np.array([[0.0, 3.0]]), 16000))
    assert whole[16000:16064].any()
    assert not holed[15000:17000].any()
    np.testing.assert_allclose(holed[30000:], whole[30000:], atol=1e-3)
    middle = next(open_video(tmp_path / "holed.mkv").audio(np.array([[1.0, 1.4]]), 16000))
    assert len(middle) == 0


def test_damaged_packets_of_sound_cost_only_themselves(tmp_path: Path) -> None:
    path = make_video(tmp_path / "damaged.mp4", [Picture()], [Sound()])
    whole = next(open_video(path).audio(np.array([[0.0, 3.0]]), 16000))
    reader = open_video(overwrite(path, 1, range(60, 66)))
    assert not reader.problems
    rest = next(reader.audio(np.array([[0.0, 3.0]]), 16000))
    assert len(rest) == 48000
    np.testing.assert_allclose(rest[:16000], whole[:16000], atol=1e-6)
    after = slice(31000, 33000)  # a new stretch starts at a whole sample: half a sample off at most
    peaks = [np.abs(wave[after]).argmax() for wave in (rest, whole)]
    assert abs(int(peaks[0]) - int(peaks[1])) <= 4
    assert any("audio" in line for line in reader.problems)


def _with_samples(path: Path, samples: np.ndarray, rate: int, layout: str) -> Path:
    """A video with these samples (C, n) as uncompressed sound."""
    make_video(path.with_name("silent.mkv"), [Picture(count=50)])
    with av.open(str(path.with_name("silent.mkv"))) as reader, av.open(str(path), "w") as writer:
        video = writer.add_stream_from_template(reader.streams.video[0])
        audio = writer.add_stream("pcm_f32le", rate=rate, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples.T.reshape(1, -1)), "flt", layout)
        frame.sample_rate, frame.pts = rate, 0
        for packet in audio.encode(frame) + audio.encode(None):
            writer.mux(packet)
        for packet in reader.demux():
            if packet.size:
                packet.stream = video
                writer.mux(packet)
    return path

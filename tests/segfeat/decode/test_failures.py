"""Files that cannot be read fail with a code; files that can be read in part do not fail."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import av
import numpy as np
import pytest

from segfeat.decode import DECODERS, DecodeError, open_video, probe
from segfeat.decode.damage import Damage
from segfeat.failures import FAILURE_CODES
from tests.media import Picture, Sound, make_video, overwrite


def failure(path: Path, decoder: str = "auto") -> DecodeError:
    with pytest.raises(DecodeError) as caught:
        open_video(path, decoder)
    assert path.name in str(caught.value)
    return caught.value


@pytest.mark.parametrize("decoder", DECODERS)
def test_files_that_are_no_videos_say_so(decoder: str, tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("not a video at all\n" * 50)
    (tmp_path / "text.txt").write_text("plain words\n" * 50)
    (tmp_path / "list.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://localhost/x.ts\n")
    make_video(tmp_path / "sound.m4a", [], [Sound()])
    whole = make_video(tmp_path / "whole.mp4").read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    _still(tmp_path / "still.png")
    codes = {path.name: failure(path, decoder).code for path in tmp_path.iterdir() if path.name != "whole.mp4"}
    assert codes == {
        "empty.mp4": "empty_file",
        "text.mp4": "not_a_video",
        "text.txt": "not_a_video",
        "list.m3u8": "not_a_video",
        "sound.m4a": "no_video_stream",
        "headless.mp4": "not_a_video",
        "still.png": "not_a_video",
    }


def test_missing_files_folders_and_locked_files_are_unreadable(tmp_path: Path) -> None:
    assert failure(tmp_path / "missing.mp4").code == "unreadable"
    assert failure(tmp_path).code == "unreadable"
    locked = make_video(tmp_path / "locked.mp4")
    locked.chmod(0)
    if not os.access(locked, os.R_OK):
        assert failure(locked).code == "unreadable"


def test_a_stream_without_a_decodable_picture_has_no_frames(tmp_path: Path) -> None:
    path = overwrite(make_video(tmp_path / "dead.mp4", [Picture(count=10)]), 0, range(10))
    assert failure(path).code == "no_frames"


def test_hours_between_pictures_are_broken_timestamps(tmp_path: Path) -> None:
    day = 24 * 3600 * 1000  # ticks of 1 ms
    slow = make_video(tmp_path / "slow.mkv", [Picture(pts=range(0, 20 * 5000, 5000))])
    assert probe(slow).duration_s == pytest.approx(100.0, abs=6.0)
    assert failure(make_video(tmp_path / "days.mkv", [Picture(pts=[0, day, 2 * day])])).code == "broken_timestamps"


def test_a_cover_image_is_no_video(tmp_path: Path) -> None:
    cover, path = _still(tmp_path / "cover.png"), tmp_path / "song.m4a"
    song = make_video(tmp_path / "plain.m4a", [], [Sound()])
    with av.open(str(song)) as sound, av.open(str(cover)) as image, av.open(str(path), "w", format="mp4") as writer:
        pairs = []
        for reader in (sound, image):
            stream = writer.add_stream_from_template(reader.streams[0])
            pairs.append((reader, stream))
        pairs[1][1].disposition = av.stream.Disposition.attached_pic
        for reader, stream in pairs:
            for packet in reader.demux():
                if packet.size:
                    packet.stream = stream
                    writer.mux(packet)
    assert failure(path).code == "no_video_stream"


def test_names_that_look_like_addresses_are_files(tmp_path: Path) -> None:
    for name in ("concat:a|b.mp4", "http: x.mp4", "ünï çødé 100%.mp4", "-i.mp4"):
        path = make_video(tmp_path / "clip.mp4", [Picture(count=3)]).rename(tmp_path / name)
        assert probe(path).duration_s == pytest.approx(0.12)


def test_a_relative_path_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_video(tmp_path / "clip.mp4", [Picture(count=3)])
    monkeypatch.chdir(tmp_path)
    assert probe("clip.mp4").width == 128


def test_an_unknown_decoder_is_a_usage_error_with_the_choices() -> None:
    with pytest.raises(ValueError, match="auto, pyav, decord"):
        open_video("clip.mp4", "ffmpeg")


def test_errors_survive_a_trip_between_processes() -> None:
    error = pickle.loads(pickle.dumps(DecodeError("no_frames", "a.mp4: nothing")))
    assert (error.code, str(error)) == ("no_frames", "a.mp4: nothing")
    with pytest.raises(ValueError, match="no_frames"):
        DecodeError("bored", "")
    assert all(FAILURE_CODES.values())


def test_problems_are_counted_by_kind() -> None:
    damage = Damage()
    for detail in ("at 1 s", "at 2 s", "at 3 s"):
        damage.note("lost packet", detail)
    damage.note("odd picture")
    assert damage.lines() == ["3 x lost packet (first: at 1 s)", "1 x odd picture"]


def test_a_matroska_file_with_a_lost_stretch_is_flagged_every_time(tmp_path: Path) -> None:
    data = bytearray(make_video(tmp_path / "whole.mkv", [Picture(count=150)]).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 400] = bytes(400)
    for name in ("first.mkv", "second.mkv"):
        (tmp_path / name).write_bytes(data)
        assert any("container" in line for line in open_video(tmp_path / name).problems)
    assert not open_video(tmp_path / "whole.mkv").problems


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files through /proc")
def test_no_file_stays_open(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", [Picture()], [Sound()])
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        reader = open_video(path)
        pictures, sound = reader.frames([0.0, 1.0, 2.0]), reader.audio(np.array([[0.0, 1.0], [1.0, 2.0]]), 16000)
        next(pictures), next(sound)
        del pictures, sound
        reader.close()
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("seed", range(40))
def test_mutated_files_end_in_an_error_or_a_flag_not_in_a_crash(seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(seed)
    codec, name = [("libx264", "a.mp4"), ("libx264", "a.mkv"), ("libvpx-vp9", "a.webm"), ("mpeg4", "a.avi")][seed % 4]
    audio = Sound(codec="libopus", rate=48000, duration_s=1.0) if codec == "libvpx-vp9" else Sound(duration_s=1.0)
    path = make_video(tmp_path / name, [Picture(count=25, codec=codec, size=(64, 64))], [audio])
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[rng.integers(0, len(data), 1 + seed)] = rng.integers(0, 256, 1 + seed)
    path.write_bytes(data.tobytes()[: rng.integers(len(data) // 2, len(data) + 1)])
    try:
        reader = open_video(path)
    except DecodeError:  # carries one of the known codes, or could not have been made
        return
    assert np.isfinite(reader.info.duration_s)
    assert reader.info.duration_s > 0
    times = np.linspace(0, min(reader.info.duration_s, 10), 7)
    shown = list(reader.frames(times, 32))
    assert len(shown) == 7
    assert len({frame.image.shape for frame in shown if frame}) <= 1
    waves = list(reader.audio(np.stack([times[:-1], times[1:]], axis=1), 8000))
    assert all(np.isfinite(wave).all() for wave in waves)
    reader.cues()


def _still(path: Path) -> Path:
    with av.open(str(path), "w", format="image2") as container:
        stream = container.add_stream("png", rate=1)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "rgb24"
        container.mux(stream.encode(av.VideoFrame(32, 32, "rgb24")))
        container.mux(stream.encode(None))
    return path

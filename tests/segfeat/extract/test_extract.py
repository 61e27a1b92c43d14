"""The whole extraction on small real videos: what is in the store, and what a second run does."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import segfeat
from segfeat.decode import DECODERS, open_video
from segfeat.encoders import EncoderUnavailable, load_encoder, registry
from segfeat.encoders.registry import EncoderEntry
from segfeat.extraction import ExtractSummary
from segfeat.interactions import Interactions
from segfeat.pipeline import shard as shards
from segfeat.pipeline.extractor import Extractor
from segfeat.pipeline.job import job_folder
from segfeat.pipeline.request import Prepared, Request
from segfeat.pipeline.settings import Settings
from segfeat.pipeline.shard import cut
from segfeat.pipeline.sources import scan
from segfeat.store.reader import FeatureStore, open_store
from segfeat.types import Clip

Run = Callable[..., ExtractSummary]


@pytest.fixture(scope="module")
def offline(films: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the films with all three classical descriptors."""
    folder = tmp_path_factory.mktemp("offline")
    (folder / "metadata.csv").write_text("video_id,title\nsaid,Two  friends\nmute,\n")
    for _ in range(2):  # the second call finds the function where the first one did
        assert callable(segfeat.extract)
    segfeat.extract(films, folder / "feats.h5", preset="offline", metadata=folder / "metadata.csv", workers=2)
    return folder / "feats.h5"


# -- content -----------------------------------------------------------------------------------------------------------


def test_every_video_is_there_with_its_segments(offline: Path, films: Path) -> None:
    with open_store(offline) as store:
        assert list(store) == ["long", "loud", "mute", "said"]
        assert store.duration_s.tolist() == pytest.approx([12.0, 3.0, 1.0, 6.0])
        assert np.diff(store.offset).tolist() == [3, 1, 1, 2]
        assert store["long"].spans_s.tolist() == [[0, 5], [5, 10], [10, 12]]
        assert store["long"].frame_time_s.ravel().tolist() == pytest.approx([2.48, 7.48, 11.0], abs=0.021)
        assert store.root == str(films)
        assert list(store.paths) == ["long.mkv", "loud.mp4", "mute.mp4", "said.mp4"]
        assert store.failures == ()
        assert set(store.status) == {"ok"}
        for row, path in enumerate(store.paths):
            stat = os.stat(films / path)
            assert store.source_stat[row].tolist() == [stat.st_size, stat.st_mtime_ns]
        assert store.header.parameters == {
            "frames_per_segment": 1, "frame_position": "middle", "id_from": "stem", "decoder": "auto",
            "thumbnails": True,
        }  # fmt: skip
    assert not job_folder(offline).exists()


def test_material_that_is_not_there_is_not_valid(offline: Path) -> None:
    with open_store(offline) as store:
        valid = {v: {m: store[v].valid[m].tolist() for m in ("audio", "text")} for v in store}
        assert valid == {
            "long": {"audio": [True, True, True], "text": [False, True, False]},
            "loud": {"audio": [True], "text": [False]},
            "mute": {"audio": [False], "text": [False]},
            "said": {"audio": [True, False], "text": [True, True]},
        }
        assert store.valid("visual").all()
        assert not store["mute"].audio.any()


def test_words_are_title_and_subtitles(offline: Path) -> None:
    with open_store(offline) as store:
        assert store["long"].segment_text == ("", "words inside", "")
        assert store["said"].segment_text == ("Two friends", "Two friends words beside")
        assert store["said"].title == "Two friends"


def test_thumbnails_are_small_upright_pictures(offline: Path) -> None:
    with open_store(offline) as store:
        for video_id in store:
            video = store[video_id]
            assert len(video.thumbnails) == len(video.spans_s)
            for blob in video.thumbnails:
                picture = Image.open(io.BytesIO(blob))
                assert picture.format == "WEBP"
                assert picture.size == (128, 96)  # smaller than a thumbnail: not enlarged
                corners = [picture.convert("RGB").getpixel(at) for at in ((8, 8), (119, 8), (8, 87))]
                assert [int(np.argmax(c)) for c in corners] == [0, 1, 2]  # red, green, blue: it stands upright


def test_features_are_those_of_the_encoders_on_the_decoded_material(offline: Path, films: Path) -> None:
    """Step by step, without the pipeline: one segment of one video at a time."""
    with open_store(offline) as store:
        for video_id, path in zip(store, store.paths, strict=True):
            video, reader = store[video_id], open_video(films / path)
            for modality in ("visual", "audio", "text"):
                encoder = load_encoder(store.encoders[modality].name, modality, "cpu")
                assert encoder is not None
                for row, (start_s, end_s) in enumerate(video.spans_s.tolist()):
                    [frame] = reader.frames([(start_s + end_s) / 2], encoder.frame_size or 64)
                    assert frame is not None
                    [wave] = reader.audio(video.spans_s[row : row + 1], 16000)
                    words = video.segment_text[row]
                    clip = Clip(start_s, end_s, frame.image[None], np.zeros(1), wave, 16000, words)
                    item = encoder.preparer(clip)
                    assert (item is not None) == video.valid[modality][row]
                    if item is not None:
                        expected = encoder.encode([item])[0]
                        # Sound is resampled in one go there and in one piece here: the filter starts at another place.
                        tolerance = 0.05 if modality == "audio" else 1e-3
                        np.testing.assert_allclose(video.features[modality][row], expected, tolerance, tolerance)


def test_several_pictures_a_segment_are_averaged(films: Path, tmp_path: Path, run: Run) -> None:
    run([films / "long.mkv"], tmp_path / "f.h5", frames_per_segment=2, frame_position="start", segment_s=4.0)
    with open_store(tmp_path / "f.h5") as store:
        video = store["long"]
        expected = [[0, 2], [4, 6], [8, 10]]
        np.testing.assert_allclose(video.frame_time_s, expected, atol=1e-6)
        encoder = load_encoder("offline:color-texture", "visual", "cpu")
        assert encoder is not None
        for row, times in enumerate(expected):
            frames = np.stack([f.image for f in open_video(films / "long.mkv").frames(times, 128) if f is not None])
            item = encoder.preparer(Clip(0, 4, frames, np.zeros(2), np.zeros(0, np.float32), 0, ""))
            np.testing.assert_allclose(video.visual[row], encoder.encode([item])[0], atol=1e-3)


def test_the_number_of_workers_changes_nothing(
    films: Path, tmp_path: Path, run: Run, content: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run(films, tmp_path / "one.h5", workers=1)
    run(films, tmp_path / "three.h5", workers=3)
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 1)
    run(films, tmp_path / "apart.h5", workers=2)
    assert len({content(tmp_path / f"{name}.h5") for name in ("one", "three", "apart")}) == 1


def test_modalities_and_thumbnails_can_be_left_out(films: Path, tmp_path: Path, run: Run) -> None:
    run([films / "said.mp4"], tmp_path / "f.h5", visual="none", text="offline:hashing", thumbnails=False)
    with open_store(tmp_path / "f.h5") as store:
        assert list(store.encoders) == ["text"]
        assert store["said"].thumbnails == ()
        assert np.isnan(store["said"].frame_time_s).all()
    run([films / "said.mp4"], tmp_path / "bare.h5", visual="none")
    with open_store(tmp_path / "bare.h5") as store:
        assert list(store.encoders) == []
        assert len(store["said"].thumbnails) == 2


def test_ids_by_path_and_files_of_odd_names(copies: Callable[..., Path], tmp_path: Path, run: Run) -> None:
    names = ["a/same.mp4", "b/same.mp4", "mit Leer zeichen.mp4", "電影.mp4", "\udcff.mp4"]
    run(copies(*names), tmp_path / "f.h5", id_from="path")
    with open_store(tmp_path / "f.h5") as store:
        assert sorted(store) == sorted(names)
        assert sorted(store.paths) == sorted(names)


def test_a_log_goes_into_the_store_with_all_its_rows(
    films: Path, tmp_path: Path, run: Run, make_log: Callable[..., Interactions]
) -> None:
    log = make_log(("u", "loud", 5, 2000, 3000), ("u", "elsewhere", 1, 5, 0), ("w", "mute", 1, 0, 1000))
    run([films / "loud.mp4"], tmp_path / "f.h5", interactions=log)
    run([films / "mute.mp4"], tmp_path / "f.h5")  # adding keeps it
    with open_store(tmp_path / "f.h5") as store:
        assert store.interactions is not None
        assert store.interactions.fingerprint() == log.fingerprint()
    (tmp_path / "log.csv").write_text("user_id,video_id,time_ms,playing_time,duration_ms\n7,loud,1,2000,3000\n")
    summary = run(films, tmp_path / "f.h5", interactions=tmp_path / "log.csv")
    assert summary.progress.videos_total == 2
    summary = run(films, tmp_path / "f.h5", interactions=tmp_path / "log.csv")
    assert summary.progress.videos_total == 0
    with open_store(tmp_path / "f.h5") as store:
        assert store.interactions is not None
        assert len(store.interactions) == 1
        assert len(store) == 4


# -- running again -----------------------------------------------------------------------------------------------------


def read_of(summary: ExtractSummary) -> tuple[int, int, int]:
    """Videos in the store, files read in this run, files that needed no reading."""
    return summary.videos, summary.progress.videos_done, summary.progress.videos_before


def test_running_again_reads_nothing_and_writes_nothing(films: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "f.h5"
    assert read_of(run(films, out)) == (4, 4, 0)
    before = out.stat()
    assert read_of(run(films, out)) == (4, 0, 4)
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["f.h5"]


def test_new_videos_cost_only_themselves(copies: Callable[..., Path], tmp_path: Path, run: Run) -> None:
    out = tmp_path / "f.h5"
    run(copies("b.mp4", "d.mp4"), out)
    with open_store(out) as store:
        before = store["b"].visual.copy()
    assert read_of(run(copies("a.mp4", "c.mp4"), out)) == (4, 2, 2)
    with open_store(out) as store:
        assert list(store) == ["b", "d", "a", "c"]  # what was there stays where it was
        assert np.array_equal(store["b"].visual, before)


def test_a_file_that_changes_is_read_again(copies: Callable[..., Path], films: Path, tmp_path: Path, run: Run) -> None:
    out, folder = tmp_path / "f.h5", copies("a.mp4", "b.mp4")
    run(folder, out)
    shutil.copy(films / "long.mkv", folder / "a.mp4")
    assert read_of(run(folder, out)) == (2, 1, 1)
    with open_store(out) as store:
        assert store["a"].duration_s == pytest.approx(12.0)
    os.utime(folder / "b.mp4", ns=(1, 1))
    assert read_of(run(folder, out)) == (2, 1, 1)


def test_a_file_that_vanishes_is_reported_and_its_features_kept(
    copies: Callable[..., Path], tmp_path: Path, run: Run
) -> None:
    out, folder = tmp_path / "f.h5", copies("a.mp4", "b.mp4")
    run(folder, out)
    (folder / "a.mp4").unlink()
    summary = run(folder, out)
    assert summary.gone == ("a.mp4",)
    assert read_of(summary) == (2, 0, 1)


def test_only_videos_with_other_titles_are_read_again(copies: Callable[..., Path], tmp_path: Path, run: Run) -> None:
    out, folder, table = tmp_path / "f.h5", copies("a.mp4", "b.mp4"), tmp_path / "metadata.csv"
    table.write_text("video_id,title\na,one\nb,two\n")
    run(folder, out, metadata=table)
    assert read_of(run(folder, out, metadata=table)) == (2, 0, 2)
    assert read_of(run(folder, out)) == (2, 0, 2)
    table.write_text("video_id,title\na,one\nb,three\n")
    assert read_of(run(folder, out, metadata=table)) == (2, 1, 1)
    with open_store(out) as store:
        assert [store[v].segment_text[0] for v in "ab"] == ["one", "three"]


def test_a_folder_that_is_added_keeps_the_first_root(copies: Callable[..., Path], tmp_path: Path, run: Run) -> None:
    out = tmp_path / "f.h5"
    one, two = copies("a.mp4", folder="one"), copies("b.mp4", folder="two")
    run(one, out)
    assert read_of(run(two, out)) == (2, 1, 0)
    assert read_of(run([one, two], out)) == (2, 0, 2)
    with open_store(out) as store:
        assert list(store.paths) == ["a.mp4", "../two/b.mp4"]
        assert all((Path(store.root) / p).exists() for p in store.paths)


def test_a_folder_that_moves_is_recognised(copies: Callable[..., Path], tmp_path: Path, run: Run) -> None:
    out = tmp_path / "f.h5"
    run(copies("a.mp4", "sub/b.mp4"), out)
    (tmp_path / "videos").rename(tmp_path / "moved")
    assert read_of(run(tmp_path / "moved", out)) == (2, 0, 2)


def test_other_settings_are_refused_with_the_difference(films: Path, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "f.h5"
    run([films / "mute.mp4"], out)
    before = out.read_bytes()
    for options, difference in (
        ({"segment_s": 4.0}, "segment_s: 5 against 4"),
        ({"frames_per_segment": 2}, "frames_per_segment: 1 against 2"),
        ({"text": "offline:hashing"}, "text encoder: none against offline:hashing"),
        ({"thumbnails": False}, "thumbnails: True against False"),
    ):
        with pytest.raises(ValueError, match=f"{out} was made with other settings .*: {difference};.*--overwrite"):
            run(films, out, **options)
        assert out.read_bytes() == before
        assert not job_folder(out).exists()
    summary = run(films, out, segment_s=4.0, overwrite=True)
    assert read_of(summary) == (4, 4, 0)
    with open_store(out) as store:
        assert store.segment_s == 4.0


def test_failures_are_rows_and_are_tried_again_only_when_asked_or_changed(
    copies: Callable[..., Path], films: Path, tmp_path: Path, run: Run, troubled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, folder = tmp_path / "f.h5", copies("a.mp4", "crash.mp4", "fail.mp4")
    (folder / "empty.mp4").touch()
    summary = run(folder, out, decoder=troubled)
    assert summary.progress.failures == {"crashed": 1, "internal": 1, "empty_file": 1}
    assert read_of(summary) == (1, 4, 0)
    assert read_of(run(folder, out, decoder=troubled)) == (1, 0, 4)

    monkeypatch.setattr("tests.segfeat.extract.tasks.trouble", lambda name: None)  # not in the workers
    shutil.copy(films / "mute.mp4", folder / "empty.mp4")
    summary = run(folder, out, decoder=troubled)
    assert read_of(summary) == (2, 1, 3)
    assert sorted(f.path for f in summary.failures) == ["crash.mp4", "fail.mp4"]

    summary = run(folder, out, decoder=troubled, retry_failed=True)
    assert read_of(summary) == (2, 2, 2)
    assert sorted(f.code for f in summary.failures) == ["crashed", "internal"]
    with open_store(out) as store:
        assert list(store) == ["a", "empty"]


def test_shards_may_be_written_by_others_and_twice_at_once(
    copies: Callable[..., Path],
    tmp_path: Path,
    run: Run,
    content: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 2)
    folder, out = copies("a.mp4", "b.mp4", "c.mp4"), tmp_path / "f.h5"
    encoder = load_encoder("offline:color-texture", "visual", "cpu")
    assert encoder is not None
    job_folder(out).mkdir()

    def extract_all() -> list[Path]:
        found = scan([folder], folder)
        with Extractor(Settings(), {"visual": encoder}, workers=1) as extractor:
            return [extractor.extract(shard, job_folder(out), folder) for shard in cut(found.sources)]

    with ThreadPoolExecutor(2) as machines:
        first, second = machines.map(lambda _: extract_all(), range(2))
    assert first == second
    assert sorted(first) == sorted(job_folder(out).iterdir())
    before = first[0].stat().st_ino
    assert extract_all() == first
    assert first[0].stat().st_ino == before
    assert read_of(run(folder, out)) == (3, 0, 3)
    run(folder, tmp_path / "whole.h5")
    assert content(out) == content(tmp_path / "whole.h5")


def test_batches_are_the_same_in_every_run_whatever_fails_and_whatever_was_finished(
    copies: Callable[..., Path],
    films: Path,
    tmp_path: Path,
    run: Run,
    troubled: str,
    content: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With an encoder that lets every vector depend on its whole batch."""
    entry = EncoderEntry("visual", "tests.segfeat.extract.tasks:Nosy", "nosy:x")
    monkeypatch.setitem(registry.ENCODERS, "nosy", entry)  # type: ignore[arg-type]
    monkeypatch.setattr(shards, "SHARD_VIDEOS", 5)
    folder = copies(*(f"{i:02}-slow.mp4" if i % 3 else f"{i:02}.mp4" for i in range(8)))
    for number, name in ((1, "late-crash"), (2, "late-fail"), (4, "good"), (6, "also-good")):
        shutil.copy2(films / "long.mkv", folder / f"{number:02}-{name}.mkv")
    options: dict[str, Any] = {"decoder": troubled, "visual": "nosy:x", "segment_s": 1.0, "thumbnails": False}
    for name, workers in (("one", 1), ("four", 4)):
        run(folder, tmp_path / f"{name}.h5", workers=workers, **options)
    assert content(tmp_path / "one.h5") == content(tmp_path / "four.h5")

    out = tmp_path / "resumed.h5"
    with monkeypatch.context() as patch:
        patch.setattr("segfeat.pipeline.run.merge_stores", None)
        with pytest.raises(TypeError):
            run(folder, out, workers=2, **options)
    finished = sorted(job_folder(out).glob("shard-*.h5"))
    assert len(finished) == 3
    finished[1].unlink()
    assert run(folder, out, workers=2, **options).progress.videos_done < 6
    assert content(out) == content(tmp_path / "one.h5")
    with open_store(out) as store:
        assert sorted(f.code for f in store.failures) == ["crashed", "internal"]
        assert len(np.unique(store.features("visual")[:, 1])) > 3


# -- what is wrong is said before anything is decoded ------------------------------------------------------------------


def test_weights_that_cannot_be_had_are_an_error_before_any_decoding(
    films: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_weights(*_: object) -> Any:
        raise EncoderUnavailable("open_clip:X", "no route to host", "--preset offline")

    monkeypatch.setitem(
        registry.ENCODERS, "lost", EncoderEntry("visual", "tests.segfeat.extract.tasks:Lost", "lost:NAME")
    )  # type: ignore[arg-type, index]
    monkeypatch.setattr("tests.segfeat.extract.tasks.Lost", no_weights, raising=False)
    monkeypatch.setattr("segfeat.pipeline.extractor.ReaderPool", None)
    with pytest.raises(ValueError, match=r"no route to host. Choices: --preset offline"):
        run(films, tmp_path / "f.h5", visual="lost:x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "nope"}, "unknown preset 'nope'; valid are clip, offline, multilingual, paper"),
        ({"visual": "nope:x"}, "unknown visual encoder 'nope:x'"),
        ({"audio": "offline:hashing"}, "encodes text, not audio"),
        ({"decoder": "nope"}, "unknown decoder 'nope'"),
        ({"id_from": "nope"}, "unknown id rule 'nope'; valid are stem, path"),
        ({"frame_position": "nope"}, "unknown frame position 'nope'; valid are middle, start"),
        ({"segment_s": 0.0}, "segment length must be a positive number"),
        ({"frames_per_segment": 0}, "frames per segment must be at least 1"),
        ({"video_timeout_s": 0.0}, "timeout must be a positive number"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"unit": "s"}, "unit without a log's file to read"),
        ({"unit": "s", "context": ["tab"]}, "unit and context without a log's file to read"),
        ({"context": ["tab"], "interactions": Interactions.empty()}, "context without a log's file to read"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
    ],
)
def test_wrong_arguments_are_errors(
    films: Path, tmp_path: Path, run: Run, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(films, tmp_path / "f.h5", **options)
    assert not (tmp_path / "f.h5").exists()


def test_no_folder_for_the_store_and_no_videos(films: Path, tmp_path: Path, run: Run) -> None:
    with pytest.raises(ValueError, match=r"absent: no such folder"):
        run(films, tmp_path / "absent" / "f.h5")
    with pytest.raises(ValueError, match=r"nothing: no such file or folder"):
        run(tmp_path / "nothing", tmp_path / "f.h5")
    with pytest.raises(ValueError, match="not an HDF5 file"):
        run(films, films / "mute.mp4")


def test_an_empty_folder_makes_an_empty_store_that_says_so(tmp_path: Path, run: Run) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "notes.txt").write_text("x")
    summary = run(tmp_path / "videos", tmp_path / "f.h5")
    assert (summary.videos, summary.ignored) == (0, 1)
    with FeatureStore(tmp_path / "f.h5") as store:
        assert len(store) == 0


def test_files_that_change_or_vanish_under_our_hands(
    copies: Callable[..., Path], tmp_path: Path, run: Run, troubled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = copies("a.mp4", "alter.mp4", "b.mp4", "c.mp4", "vanish.mp4", "z.mp4"), tmp_path / "f.h5"
    prepare = Request.prepare

    def and_then_lose_one(request: Request) -> Prepared:
        known = prepare(request)
        (folder / "c.mp4").unlink()
        return known

    with monkeypatch.context() as patch:
        patch.setattr(Request, "prepare", and_then_lose_one)
        summary = run(folder, out, decoder=troubled, workers=1)
    assert {f.path: f.code for f in summary.failures} == {
        "alter.mp4": "changed", "c.mp4": "not_found", "vanish.mp4": "changed",
    }  # fmt: skip
    with open_store(out) as store:
        assert list(store) == ["a", "b", "z"]
        assert list(store.status) == ["ok"] * 3
    assert run(folder, out, decoder=troubled).progress.videos_done == 1  # another file now: it is tried again


def test_timestamps_that_cannot_be_true_are_a_failure(
    copies: Callable[..., Path], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DECODERS, "endless", "tests.segfeat.extract.tasks:EndlessReader")
    [failure] = run(copies("a.mp4"), tmp_path / "f.h5", decoder="endless").failures
    assert failure.code == "no_duration"
    assert "span 278 hours" in failure.message

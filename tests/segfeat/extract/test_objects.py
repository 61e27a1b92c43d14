"""Videos that lie elsewhere: listed, named, fetched patiently, and never more of them on the disk than processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from segfeat.extraction import ExtractSummary
from segfeat.pipeline import objects
from segfeat.pipeline.dry_run import preview
from segfeat.pipeline.fetching import Fetching, fetching
from segfeat.pipeline.messages import Closed, Failed, Message
from segfeat.pipeline.objects import FetchFailed, fetch, find_objects, is_url
from segfeat.pipeline.request import Request
from segfeat.pipeline.sources import Source
from segfeat.store.reader import FeatureStore

fsspec = pytest.importorskip("fsspec")

Run = Callable[..., ExtractSummary]


def test_addresses_and_paths() -> None:
    assert is_url("s3://bucket/video.mp4")
    assert not any(map(is_url, ["videos/a.mp4", "/videos", "C:/videos", Path("s3://bucket")]))


@pytest.fixture
def bucket(films: Path, tmp_path: Path) -> str:
    """The films at an address; below it another folder, subtitles and what is no video."""
    for name in ("loud.mp4", "said.mp4", "said.srt", "more/mute.mp4"):
        target = tmp_path / "bucket" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((films / Path(name).name).read_bytes())
    (tmp_path / "bucket" / "notes.txt").write_text("no video")
    return f"file://{tmp_path}/bucket"


def test_what_is_below_an_address_is_found_with_its_subtitles(bucket: str) -> None:
    found = find_objects([bucket + "/"])
    assert found.root == bucket
    assert found.ignored == 1
    assert [(s.path, s.video_id, s.side_files) for s in found.sources] == [
        ("loud.mp4", "loud", ()), ("more/mute.mp4", "mute", ()), ("said.mp4", "said", ("said.srt",)),
    ]  # fmt: skip
    assert all(s.size_bytes > 1000 and s.mtime_ns > objects.UNKNOWN_TIME_NS for s in found.sources)
    assert [s.video_id for s in find_objects([bucket], id_from="path").sources] == [
        "loud.mp4",
        "more/mute.mp4",
        "said.mp4",
    ]


def test_single_objects_and_several_places(bucket: str) -> None:
    found = find_objects([f"{bucket}/loud.mp4", f"{bucket}/more"])
    assert (found.root, [s.path for s in found.sources]) == (bucket, ["loud.mp4", "more/mute.mp4"])
    assert find_objects([f"{bucket}/notes.txt"]).sources[0].video_id == "notes"
    kept = find_objects([f"{bucket}/more"], kept_root=bucket)
    assert (kept.root, [s.path for s in kept.sources]) == (bucket, ["more/mute.mp4"])


def test_a_manifest_names_objects_and_their_ids(bucket: str, tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"url": [f"{bucket}/loud.mp4", f"{bucket}/gone.mp4", f"{bucket}/more/mute.mp4"], "video_id": ["7", None, "9"]}
    )
    table.to_csv(tmp_path / "m.csv", index=False)
    table.to_parquet(tmp_path / "m.parquet")
    for name in ("m.csv", "m.parquet"):
        found = find_objects([], tmp_path / name)
        assert [(s.path, s.video_id) for s in found.sources] == [
            ("gone.mp4", "gone"), ("loud.mp4", "7"), ("more/mute.mp4", "9"),
        ]  # fmt: skip
        assert found.sources[0].size_bytes == 0
    for content, message in (
        ("link\ns3://b/a.mp4\n", r"m\.csv: missing column url; found link"),
        ("url\na.mp4\n", r"m\.csv: 'a\.mp4' is no address such as s3://"),
        ("url,video_id\n,1\n", "the manifest names no video"),
        (
            f"url,video_id\n{bucket}/loud.mp4,1\n{bucket}/said.mp4,1\n",
            r"two files would both be video '1': loud\.mp4 and said\.mp4",
        ),
    ):
        (tmp_path / "m.csv").write_text(content)
        with pytest.raises(ValueError, match=message):
            find_objects([], tmp_path / "m.csv")


def test_mistakes_are_named(bucket: str) -> None:
    with pytest.raises(ValueError, match="no such object, and nothing below it"):
        find_objects([f"{bucket}/nothing"])
    with pytest.raises(ValueError, match=r"videos: files of this machine and addresses cannot"):
        find_objects([bucket, "videos"])
    with pytest.raises(ValueError, match="nonsense://x"):
        find_objects(["nonsense://x"])
    with pytest.raises(ValueError, match="no videos named"):
        find_objects([])


# -- whole extractions -------------------------------------------------------------------------------------------------


def test_the_store_is_that_of_the_files(
    bucket: str, run: Run, tmp_path: Path, content: Callable[[Path], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    summary = run([bucket], tmp_path / "far.h5", text="offline:hashing")
    assert (summary.videos, summary.failures, summary.gone) == (3, (), ())
    assert list((tmp_path / "scratch").iterdir()) == []
    run([bucket.removeprefix("file://")], tmp_path / "near.h5", text="offline:hashing")
    with FeatureStore(tmp_path / "far.h5") as far, FeatureStore(tmp_path / "near.h5") as near:
        assert (far.root, near.root) == (bucket, bucket.removeprefix("file://"))
        for video in near:
            assert far[video].path == near[video].path
            assert far[video].segment_text == near[video].segment_text
            assert (far[video].visual == near[video].visual).all()
    again = run([bucket], tmp_path / "far.h5", text="offline:hashing")
    assert (again.progress.videos_total, again.gone) == (0, ())
    (Path(bucket.removeprefix("file://")) / "new.mp4").write_bytes(b"no video")
    more = run([bucket], tmp_path / "far.h5", text="offline:hashing")
    assert [(f.path, f.code) for f in more.failures] == [("new.mp4", "not_a_video")]


def test_a_vanished_object_is_a_failure_row(bucket: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(f"url\n{bucket}/loud.mp4\n{bucket}/gone.mp4\n")
    summary = run([], tmp_path / "s.h5", manifest=tmp_path / "m.csv")
    assert summary.videos == 1
    assert [(f.path, f.code) for f in summary.failures] == [("gone.mp4", "not_found")]


def test_a_dry_run_says_that_it_would_have_to_fetch(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="would have to fetch them all"):
        preview(Request([bucket], tmp_path / "s.h5", preset="offline"))


# -- fetching ----------------------------------------------------------------------------------------------------------


class Answer(Exception):
    """What a server says with a status."""

    def __init__(self, status: int, **headers: str) -> None:
        super().__init__(f"status {status}")
        self.status, self.headers = status, {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function that has a server give these answers, one after another: exceptions are raised, bytes are written."""

    def serve(*answers: Any) -> None:
        rest: Iterator[Any] = iter(answers)

        def download(url: str, target: Path) -> None:
            answer = next(rest)
            if isinstance(answer, Exception):
                raise answer
            target.write_bytes(answer)

        monkeypatch.setattr(objects, "_download", download)

    return serve


def far(size: int = 4, **more: Any) -> Source:
    return Source("v", "v.mp4", "s3://bucket/v.mp4", size, 5_000_000_000, **more)


def test_a_busy_server_is_asked_again_and_ever_later(served: Callable[..., None], tmp_path: Path) -> None:
    waits: list[float] = []
    served(Answer(429), Answer(503), OSError("reset"), TimeoutError(), b"1234")
    local = fetch(far(), tmp_path / "mine", waits.append)
    assert Path(local.file).read_bytes() == b"1234"
    assert (local.path, local.video_id, os.stat(local.file).st_mtime_ns) == ("v.mp4", "v", 5_000_000_000)
    assert len(waits) == 4
    assert all(0.5 * 2**i <= waited <= 2**i for i, waited in enumerate(waits))


def test_a_server_that_says_how_long_is_left_alone_so_long(served: Callable[..., None], tmp_path: Path) -> None:
    waits: list[float] = []
    served(Answer(429, Retry_After="17"), Answer(429, Retry_After="100000"), Answer(429, Retry_After="soon"), b"1234")
    fetch(far(), tmp_path, waits.append)
    assert waits[:2] == [17.0, objects.LONGEST_WAIT_S]


@pytest.mark.parametrize(
    ("answers", "code", "message", "waits"),
    [
        ([FileNotFoundError("no key")], "not_found", "v.mp4: no key", 0),
        ([Answer(404)], "not_found", "status 404", 0),
        ([Answer(410)], "not_found", "status 410", 0),
        ([Answer(403)], "unreadable", "status 403", 0),
        ([PermissionError("no")], "unreadable", "v.mp4: no", 0),
        ([Answer(503)] * 9, "unreadable", "status 503, 5 times", 4),
        ([b"12345"], "changed", "5 bytes, not 4 as when listed", 0),
    ],
)
def test_what_cannot_be_had_says_why(
    served: Callable[..., None], tmp_path: Path, answers: list[Any], code: str, message: str, waits: int
) -> None:
    served(*answers)
    waited: list[float] = []
    with pytest.raises(FetchFailed, match=message) as error:
        fetch(far(), tmp_path, waited.append)
    assert (error.value.code, len(waited)) == (code, waits)


def test_side_files_come_along(bucket: str, tmp_path: Path) -> None:
    (said,) = (s for s in find_objects([bucket]).sources if s.side_files)
    local = Path(fetch(said, tmp_path / "mine").file)
    assert sorted(p.name for p in local.parent.iterdir()) == ["said.mp4", "said.srt"]


class Told:
    """A task that says which file it was given, and that it is there."""

    def __call__(self, source: Source) -> Iterator[Message]:
        assert Path(source.file).is_file()
        yield Failed("internal", source.file)


def test_a_process_keeps_one_object_and_removes_what_the_dead_left(bucket: str, tmp_path: Path) -> None:
    (tmp_path / "scratch" / "999999999").mkdir(parents=True)
    task = Fetching(Told(), str(tmp_path / "scratch"))
    loud = find_objects([f"{bucket}/loud.mp4"]).sources[0]
    (message,) = task(loud)
    assert isinstance(message, Failed)
    assert message.message == str(tmp_path / "scratch" / str(os.getpid()) / "loud.mp4")
    assert list((tmp_path / "scratch").iterdir()) == []


def test_files_of_this_machine_are_read_where_they_lie(films: Path) -> None:
    source = Source("loud", "loud.mp4", str(films / "loud.mp4"), 1, 1)
    with fetching(Told(), [source]) as task:
        assert isinstance(task, Told)
    with fetching(Told()) as task:
        (message,) = task(source)
        assert message == Failed("internal", source.file)
    assert not isinstance(message, Closed)

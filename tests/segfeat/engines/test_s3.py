"""From object storage to object storage, on a server of this machine that answers as S3 does."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segfeat.engines.depot import Depot
from segfeat.engines.ray import Ray
from segfeat.engines.worker import PRECISION, Refused, agree_on_precision
from segfeat.extraction import ExtractSummary, carry_out
from segfeat.pipeline.objects import find_objects
from segfeat.pipeline.request import Request
from segfeat.store.reader import FeatureStore
from tests.segfeat.engines.poison import Pausing

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

pytest.importorskip("s3fs", reason="s3fs is not installed")
moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed")

Run = Callable[..., ExtractSummary]
Content = Callable[[Path], str]


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """An empty S3, on loopback."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MOTO_IAM_ENDPOINT_MODE", "aws")
        threaded = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        threaded.start()
        host, port = threaded.get_host_and_port()
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        yield
        threaded.stop()


@pytest.fixture
def bucket(server: None, copies: Callable[..., Path]) -> str:
    """Seven videos, one of them in a folder, subtitles, and a file that is no video."""
    import s3fs

    folder = copies(*(f"v{i}.mp4" for i in range(6)), "more/v6.mp4")
    (folder / "bad.mp4").write_bytes(b"no video")
    (folder / "v1.srt").write_text("1\n00:00:00,100 --> 00:00:00,900\nfar away\n")
    s3fs.S3FileSystem.clear_instance_cache()
    fs = s3fs.S3FileSystem()
    name = f"films-{time.time_ns()}"
    fs.mkdir(name)
    fs.put(f"{folder}/", f"{name}/videos", recursive=True)
    fs.invalidate_cache()
    return f"s3://{name}"


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segfeat.pipeline.shard.SHARD_VIDEOS", 2)


def request_for(paths: list[str], out: Path, **options: Any) -> Request:
    usual = {"preset": "offline", "audio": "none", "text": "none", "workers": 1, "video_timeout_s": 120.0}
    return Request(paths, out, **{**usual, **options})


def test_objects_are_listed_and_read_with_their_subtitles(bucket: str, run: Run, tmp_path: Path) -> None:
    found = find_objects([f"{bucket}/videos"])
    assert (found.root, len(found.sources), found.ignored) == (f"{bucket}/videos", 8, 0)
    assert all(s.size_bytes and s.mtime_ns > 1_600_000_000 * 10**9 for s in found.sources)
    summary = run([f"{bucket}/videos"], tmp_path / "s.h5")
    assert (summary.videos, [(f.path, f.code) for f in summary.failures]) == (7, [("bad.mp4", "not_a_video")])
    with FeatureStore(tmp_path / "s.h5") as store:
        assert store["v1"].segment_text == ("far away",)
        assert store["v6"].path == "more/v6.mp4"
    assert run([f"{bucket}/videos"], tmp_path / "s.h5").progress.videos_total == 0


def test_what_is_created_once_is_never_replaced(bucket: str, tmp_path: Path) -> None:
    first, second = Depot(f"{bucket}/shards"), Depot(f"{bucket}/shards")
    assert first.names() == set()
    for number, depot in enumerate((first, second)):
        (tmp_path / "a").write_text(str(number))
        assert depot.put("a", tmp_path / "a") is (number == 0)
        assert depot.put_text("b", str(number)) is (number == 0)
    assert (second.names(), second.has("a"), second.has("c")) == ({"a", "b"}, True, False)
    assert second.text("b") == "0"
    (tmp_path / "here").mkdir()
    second.fetch(["a"], tmp_path / "here")
    assert [(p.name, p.read_text()) for p in (tmp_path / "here").iterdir()] == [("a", "0")]


def test_workers_agree_on_their_precision_there_as_well(bucket: str) -> None:
    depot = Depot(f"{bucket}/agreed")
    agree_on_precision(depot, "float32")
    agree_on_precision(depot, "float32")
    with pytest.raises(Refused, match=r"computes in bfloat16, that on .* in float32"):
        agree_on_precision(depot, "bfloat16")


def test_a_vanished_object_is_a_failure_and_costs_itself_alone(bucket: str, run: Run, tmp_path: Path) -> None:
    names = [f"{bucket}/videos/v0.mp4", f"{bucket}/videos/never.mp4"]
    (tmp_path / "m.csv").write_text("\n".join(["url", *names]))
    summary = run([], tmp_path / "s.h5", manifest=tmp_path / "m.csv")
    assert (summary.videos, [(f.path, f.code) for f in summary.failures]) == (1, [("never.mp4", "not_found")])


@pytest.mark.usefixtures("alone")
def test_from_bucket_to_bucket_with_a_worker_killed(bucket: str, run: Run, tmp_path: Path, content: Content) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    depot = Depot(f"{bucket}/shards")
    out = tmp_path / "spread.h5"
    pids = tmp_path / "pids"
    pids.mkdir()
    killed: list[int] = []

    def kill_one() -> None:
        while not killed:
            for path in pids.iterdir():
                killed.append(int(path.name))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one, daemon=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGFEAT_TEST_PIDS", str(pids))  # the cluster's processes have it from this one
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        killer.start()
        engine = Ray(actors=(1, 1), cores_per_actor=1, shards=depot.url, worker=Pausing)
        summary = carry_out(request_for([f"{bucket}/videos"], out), None, engine)
        killer.join()
        assert (summary.videos, dict(summary.progress.failures)) == (7, {"not_a_video": 1})
        shards = {name for name in depot.names() if name.startswith("shard-")}
        assert len(shards) == 4
        assert depot.has(PRECISION)
        run([f"{bucket}/videos"], tmp_path / "whole.h5")
        assert content(out) == content(tmp_path / "whole.h5")
        # Another driver, somewhere else, finds everything done.
        again = carry_out(request_for([f"{bucket}/videos"], tmp_path / "other.h5"), None, engine)
        assert again.progress.segments_done == 0
        assert content(tmp_path / "other.h5") == content(out)
        assert {name for name in depot.names() if name.startswith("shard-")} == shards
    finally:
        ray.shutdown()

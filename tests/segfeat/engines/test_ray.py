"""Extraction on a Ray cluster of this machine: whoever is killed, the store is the single machine's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from segfeat.encoders.registry import ENCODERS
from segfeat.engines.ray import Ray
from segfeat.extraction import ExtractSummary, carry_out
from segfeat.pipeline.job import job_folder
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.request import Request
from segfeat.store.reader import FeatureStore
from tests.segfeat.engines.poison import Mourned, Paired, Poisoned

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.usefixtures("alone")]

ray = pytest.importorskip("ray", reason="Ray is not installed")

Copies = Callable[..., Path]
Run = Callable[..., ExtractSummary]
Content = Callable[[Path], str]


@pytest.fixture(scope="module")
def cluster(alone: None) -> Iterator[None]:
    """A cluster with room for two actors of one core."""
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _node_ip_address="127.0.0.1")
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("segfeat.pipeline.shard.SHARD_VIDEOS", 2)


def request_for(folder: Path, out: Path, **options: Any) -> Request:
    return Request([folder], out, preset="offline", audio="none", text="none", workers=1, **options)


def eight(copies: Copies) -> Path:
    """Seven videos and a file that is none: four shards."""
    folder = copies(*(f"v{i}.mp4" for i in range(7)))
    (folder / "bad.mp4").write_bytes(b"no video")
    return folder


@pytest.mark.usefixtures("cluster")
def test_a_worker_that_is_killed_costs_its_shard_and_nothing_else(
    copies: Copies, run: Run, tmp_path: Path, content: Content
) -> None:
    folder, out = eight(copies), tmp_path / "spread.h5"
    killed: list[int] = []

    def kill_one() -> None:
        while not killed:
            for path in job_folder(out).glob("*.pid"):
                killed.append(int(path.stem))
                os.kill(killed[0], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill_one, daemon=True)
    killer.start()
    told: list[tuple[int, int]] = []

    def progress(state: Progress) -> None:
        told.append((state.shards_done, state.actors))

    summary = carry_out(request_for(folder, out), progress, Ray(actors=(1, 2), cores_per_actor=1, worker=Mourned))
    killer.join()
    run(folder, tmp_path / "whole.h5")
    assert content(out) == content(tmp_path / "whole.h5")
    assert (summary.videos, summary.progress.videos_done, dict(summary.progress.failures)) == (7, 8, {"not_a_video": 1})
    assert summary.progress.shards_total == 4
    assert told[-1][0] == 4
    assert told[-1][1] >= 1
    assert not job_folder(out).exists()


@pytest.mark.usefixtures("cluster")
def test_a_file_that_kills_every_worker_is_crashed_and_its_siblings_are_written(
    copies: Copies, run: Run, tmp_path: Path
) -> None:
    folder = copies("a.mp4", "b.mp4", "poison.mp4", "z.mp4")
    out = tmp_path / "spread.h5"
    engine = Ray(actors=(1, 1), cores_per_actor=1, worker=Poisoned)
    summary = carry_out(request_for(folder, out), None, engine)
    with FeatureStore(out) as store:
        assert sorted(store) == ["a", "b", "z"]
        (failure,) = store.failures
        assert (failure.path, failure.code) == ("poison.mp4", "crashed")
        assert "the process that read it died, also when it was tried alone" in failure.message
    assert (summary.progress.videos_done, dict(summary.progress.failures)) == (4, {"crashed": 1})
    again = carry_out(request_for(folder, out), None, engine)
    assert again.progress.videos_total == 0


@pytest.mark.usefixtures("cluster")
def test_a_shard_that_waits_behind_a_poisonous_one_loses_no_try_to_it(copies: Copies, tmp_path: Path) -> None:
    # The poisonous shard comes first, and one actor has all of them.
    folder = copies("0-poison.mp4", "1.mp4", *(f"{i}.mp4" for i in range(2, 8)))
    told: list[int] = []
    engine = Ray(actors=(1, 1), cores_per_actor=1, worker=Poisoned)
    summary = carry_out(request_for(folder, tmp_path / "s.h5"), lambda state: told.append(state.shards_done), engine)
    with FeatureStore(tmp_path / "s.h5") as store:
        assert sorted(store) == [str(i) for i in range(1, 8)]
    assert dict(summary.progress.failures) == {"crashed": 1}
    # Three shards whole, and of the first its sibling alone: no other was taken apart.
    assert max(told) == 4


@pytest.mark.usefixtures("cluster")
def test_more_actors_come_where_there_is_more_to_do(copies: Copies, tmp_path: Path) -> None:
    folder, actors = eight(copies), list[int]()
    engine = Ray(actors=(1, 2), cores_per_actor=1, worker=Paired)
    summary = carry_out(request_for(folder, tmp_path / "s.h5"), lambda state: actors.append(state.actors), engine)
    assert (summary.videos, dict(summary.progress.failures)) == (7, {"not_a_video": 1})
    assert actors[-1] == 2


@pytest.mark.usefixtures("cluster")
def test_workers_without_the_drivers_weights_end_the_job_with_the_reason(
    copies: Copies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Only the driver knows this encoder.
    monkeypatch.setitem(ENCODERS, "offline:nosy", ENCODERS["offline:color-texture"])  # type: ignore[arg-type]
    request = Request([copies("a.mp4")], tmp_path / "s.h5", visual="offline:nosy", audio="none", text="none")
    with pytest.raises(ValueError, match=r"worker on .*: unknown visual encoder 'offline:nosy'"):
        carry_out(request, None, Ray(actors=(1, 1), cores_per_actor=1))
    assert not (tmp_path / "s.h5").exists()


DRIVER = """
import sys
from segfeat.pipeline import shard
shard.SHARD_VIDEOS = 2
from segfeat_cli.segfeat import main
main()
"""


def test_a_driver_that_is_killed_leaves_shards_to_go_on_from(
    copies: Copies, run: Run, tmp_path: Path, content: Content, root: Path
) -> None:
    folder, out = eight(copies), tmp_path / "spread.h5"
    arguments = ["extract", str(folder), "-o", str(out), "--preset", "offline", "--audio", "none", "--text", "none"]
    arguments += ["--engine", "ray", "--address", "local", "--actors", "1", "--cores-per-actor", "1", "--workers", "1"]
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while driver.poll() is None and not list(job_folder(out).glob("shard-*.h5")):
        time.sleep(0.02)
    assert driver.poll() is None, driver.stdout and driver.stdout.read()
    driver.kill()
    driver.wait()
    left = len(list(job_folder(out).glob("shard-*.h5")))
    summary = run(folder, out)
    assert summary.progress.videos_done <= 8 - 2 * left + 2  # one that ends while its driver dies counts for neither
    run(folder, tmp_path / "whole.h5")
    assert content(out) == content(tmp_path / "whole.h5")

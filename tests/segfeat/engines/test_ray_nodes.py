"""A cluster that loses a machine, and gets another, in the middle of an extraction."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from segfeat.engines.ray import Ray
from segfeat.extraction import ExtractSummary, carry_out
from segfeat.pipeline.progress import Progress
from segfeat.pipeline.request import Request
from tests.segfeat.engines.poison import Mourned

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900), pytest.mark.usefixtures("alone")]

ray = pytest.importorskip("ray", reason="Ray is not installed")


def test_a_machine_lost_and_replaced_changes_nothing(
    copies: Callable[..., Path],
    run: Callable[..., ExtractSummary],
    tmp_path: Path,
    content: Callable[[Path], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setattr("segfeat.pipeline.shard.SHARD_VIDEOS", 1)
    folder, out = copies(*(f"v{i}.mp4" for i in range(8))), tmp_path / "spread.h5"
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    machines = [cluster.add_node(num_cpus=1) for _ in range(2)]
    ray.init(cluster.address, log_to_driver=False)
    left: list[int] = []

    def lose_one(progress: Progress) -> None:
        if not left:  # at the first shard, while both are busy with the next ones
            left.append(8 - progress.shards_done)
            cluster.remove_node(machines[0], allow_graceful=False)
            cluster.add_node(num_cpus=1)

    try:
        request = Request([folder], out, preset="offline", audio="none", text="none", workers=1)
        summary = carry_out(request, lose_one, Ray(actors=(2, 2), cores_per_actor=1, worker=Mourned))
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert left[0] >= 3  # it was lost while there was work for both
    assert (summary.videos, summary.failures) == (8, ())
    run(folder, tmp_path / "whole.h5")
    assert content(out) == content(tmp_path / "whole.h5")

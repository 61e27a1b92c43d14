from __future__ import annotations

import csv
import json
from functools import partial
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from examples.world import World, WorldConfig, exits, make_world
from examples.world.__main__ import main
from examples.world.maker import summary, write_logs


def test_the_folder_holds_the_world(tiny: tuple[Path, World]) -> None:
    folder, world = tiny
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "videos",
        "titles.csv",
        "watch_log.csv",
        "heldout_history.csv",
        "heldout_test.csv",
        "truth",
        "world.json",
    }
    logs = {"watch_log": world.train, "heldout_history": world.heldout_history, "heldout_test": world.heldout_test}
    for name, log in logs.items():
        pd.testing.assert_frame_equal(pd.read_csv(folder / f"{name}.csv"), log)


def test_every_video_is_what_the_world_says(tiny: tuple[Path, World]) -> None:
    folder, world = tiny
    assert {path.stem for path in (folder / "videos").glob("*.mp4")} == set(world.video_id)
    assert len(set(world.has_sound)) == 2, "the tiny world should have videos with and without sound"
    for v, name in enumerate(world.video_id):
        with av.open(str(folder / "videos" / f"{name}.mp4")) as container:
            assert bool(container.streams.audio) == world.has_sound[v]
            stream = container.streams.video[0]
            assert float(stream.duration * stream.time_base) * 1000 == pytest.approx(world.duration_ms[v])
        assert (folder / "videos" / f"{name}.srt").exists() == world.has_subtitles[v]
    with (folder / "titles.csv").open(encoding="utf-8", newline="") as file:
        titles = {row["video_id"]: row["title"] for row in csv.DictReader(file)}
    assert set(titles) == set(np.array(world.video_id)[world.has_title])
    assert all(titles.values())


def test_the_truth_is_written_down(tiny: tuple[Path, World]) -> None:
    folder, world = tiny
    with np.load(folder / "truth" / "interest.npz", allow_pickle=False) as truth:
        assert tuple(truth["user_id"]) == world.user_id
        assert tuple(truth["video_id"]) == world.video_id
        for u in range(len(world.user_id)):
            video = np.arange(len(world.video_id))
            np.testing.assert_allclose(truth["hazard"][u], world.hazard(np.full_like(video, u), video), rtol=1e-6)
        np.testing.assert_allclose(
            truth["interest"], np.log1p(-truth["hazard"]) - np.log(truth["hazard"]), rtol=1e-4, atol=1e-5
        )
    segments = pd.read_csv(folder / "truth" / "segments.csv")
    assert len(segments) == world.n_segments.sum()
    assert (segments.groupby("video_id")["end_s"].max() * 1000 == world.duration_ms).all()
    assert pd.read_csv(folder / "truth" / "videos.csv")["cold"].sum() == world.cold.sum()
    assert pd.read_csv(folder / "truth" / "users.csv")["heldout"].sum() == world.heldout.sum()


def test_world_json_gives_the_cost_of_the_truth(world: World, tiny: tuple[Path, World]) -> None:
    report = json.loads((tiny[0] / "world.json").read_text(encoding="utf-8"))
    assert report["config"]["seed"] == tiny[1].config.seed
    assert report["permuted"] is False
    nats = summary(world)["heldout_test_nats_per_view"]
    assert nats["oracle"] + 0.15 < nats["DurationPosition"] < nats["oracle"] + 0.3
    null = summary(world, permute=True)["heldout_test_nats_per_view"]
    assert null["oracle"] > null["DurationPosition"], "the truth must be no truth about a permuted log"


def test_permuted_logs_differ_in_watch_times_alone(world: World, tmp_path: Path) -> None:
    write_logs(world, tmp_path, permute=True)
    log = pd.read_csv(tmp_path / "watch_log.csv")
    pd.testing.assert_frame_equal(log.drop(columns="playing_time"), world.train.drop(columns="playing_time"))
    assert (exits(log)[1] != exits(world.train)[1]).mean() > 0.4


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me", encoding="utf-8")
    with pytest.raises(ValueError, match="not an empty folder"):
        make_world(tmp_path, WorldConfig(videos=4))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
    result = CliRunner().invoke(main, [str(tmp_path)])
    assert result.exit_code == 1
    assert "not an empty folder" in result.output


def test_the_command_makes_a_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("examples.world.__main__.WorldConfig", partial(WorldConfig, min_s=4.0, max_s=8.0))
    arguments = [str(tmp_path / "new"), "--videos", "4", "--users", "5", "--seed", "2", "--permute", "--workers", "1"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "4 of 4 videos" in result.output
    assert len(list((tmp_path / "new" / "videos").glob("*.mp4"))) == 4
    report = json.loads((tmp_path / "new" / "world.json").read_text(encoding="utf-8"))
    assert (report["config"]["seed"], report["permuted"]) == (2, True)

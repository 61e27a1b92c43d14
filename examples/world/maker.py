"""A world on disk: videos, titles, watch logs, and the truth that nobody observes."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from .config import WorldConfig
from .reference import DurationHazard, DurationPosition, oracle_nll
from .simulation import SEGMENT_MS, World, simulate
from .watchlog import exits, permute_ratios


def make_world(
    out: str | Path,
    config: WorldConfig | None = None,
    permute: bool = False,
    workers: int | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> World:
    """Simulate a world and write it into a folder.

    Written are ``videos/`` (.mp4, and .srt beside some), ``titles.csv``, ``watch_log.csv`` (training users),
    ``heldout_history.csv`` and ``heldout_test.csv`` (other users: first on videos of the training log, then on cold
    ones), ``truth/`` (see :func:`write_truth`) and ``world.json`` (configuration, counts, nats per view).

    Parameters
    ----------
    out : path
        A folder that does not exist yet or is empty.
    permute : bool
        Write the logs with their watch / duration ratios permuted across rows; the truth stays.
    workers : int, optional
        Processes that film; by default one for each core.
    on_video : function of (done, all), optional
        Called after every video.

    Raises
    ------
    ValueError
        If the folder holds something already.
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not an empty folder: a world is made in a new one")
    world = simulate(config)
    (out / "videos").mkdir(parents=True)
    titles = film_all(world, out / "videos", workers, on_video)
    with (out / "titles.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("video_id", "title"), *titles.items()])
    write_logs(world, out, permute)
    write_truth(world, out / "truth")
    (out / "world.json").write_text(json.dumps(summary(world, permute), indent=2) + "\n", encoding="utf-8")
    return world


def film_all(
    world: World,
    folder: Path,
    workers: int | None = None,
    on_video: Callable[[int, int], None] | None = None,
) -> dict[str, str]:
    """Encode all videos into a folder, in parallel; return titles by video id."""
    from .film import film, scripts

    todo = scripts(world)
    workers = workers or min(len(todo), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 4)
    titles = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        for done, (script, title) in enumerate(zip(todo, pool.map(partial(film, folder=folder), todo), strict=True), 1):
            if title:
                titles[script.video_id] = title
            if on_video is not None:
                on_video(done, len(todo))
    return titles


def write_logs(world: World, out: Path, permute: bool = False) -> None:
    """Write ``watch_log.csv``, ``heldout_history.csv`` and ``heldout_test.csv``."""
    logs = {
        "watch_log.csv": world.train,
        "heldout_history.csv": world.heldout_history,
        "heldout_test.csv": world.heldout_test,
    }
    for name, log in logs.items():
        rows = permute_ratios(log, world.config.seed) if permute else log
        rows.to_csv(out / name, index=False, lineterminator="\n")


def write_truth(world: World, folder: Path) -> None:
    """Write what no log tells.

    - ``interest.npz``: ``interest`` and ``hazard`` float32 (users, videos, segments), NaN beyond a video's end;
      ``user_id`` and ``video_id`` name the rows;
    - ``segments.csv``: video_id, segment, start_s, end_s, topic;
    - ``videos.csv``: video_id, cold, has_sound, has_title, has_subtitles;
    - ``users.csv``: user_id, heldout, patience, and the taste for every topic.
    """
    folder.mkdir(parents=True, exist_ok=True)
    n_users, n_videos = len(world.user_id), len(world.video_id)
    user, video = (code.ravel() for code in np.mgrid[:n_users, :n_videos])
    shape = (n_users, n_videos, world.segment_topic.shape[1])
    np.savez_compressed(
        folder / "interest.npz",
        user_id=np.array(world.user_id),
        video_id=np.array(world.video_id),
        interest=world.interest(user, video).reshape(shape).astype(np.float32),
        hazard=world.hazard(user, video).reshape(shape).astype(np.float32),
    )
    tables: dict[str, list[tuple[Any, ...]]] = {
        "segments.csv": [("video_id", "segment", "start_s", "end_s", "topic")],
        "videos.csv": [("video_id", "cold", "has_sound", "has_title", "has_subtitles")],
        "users.csv": [("user_id", "heldout", "patience", *(f"taste_{name}" for name in world.topic_names))],
    }
    for v, name in enumerate(world.video_id):
        flags = (world.cold[v], world.has_sound[v], world.has_title[v], world.has_subtitles[v])
        tables["videos.csv"].append((name, *(int(flag) for flag in flags)))
        for s in range(int(world.n_segments[v])):
            end_ms = min((s + 1) * SEGMENT_MS, int(world.duration_ms[v]))
            topic = world.topic_names[world.segment_topic[v, s]]
            tables["segments.csv"].append((name, s, s * SEGMENT_MS / 1000, end_ms / 1000, topic))
    for u, name in enumerate(world.user_id):
        numbers = (round(float(x), 6) for x in (world.patience[u], *world.taste[u]))
        tables["users.csv"].append((name, int(world.heldout[u]), *numbers))
    for name, rows in tables.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def summary(world: World, permute: bool = False) -> dict[str, Any]:
    """What ``world.json`` says: configuration, counts, and the cost of exits under the truth and DurationPosition."""
    train, test = world.train, world.heldout_test
    if permute:
        train, test = (permute_ratios(log, world.config.seed) for log in (train, test))
    n, exit_slot = exits(train)
    return {
        "config": asdict(world.config),
        "permuted": permute,
        "topics": list(world.topic_names),
        "videos": len(world.video_id),
        "cold_videos": int(world.cold.sum()),
        "segments": int(world.n_segments.sum()),
        "hours": round(float(world.duration_ms.sum()) / 3_600_000, 3),
        "views": {"train": len(train), "heldout_history": len(world.heldout_history), "heldout_test": len(test)},
        "completed_share": round(float((exit_slot == n).mean()), 4),
        "heldout_test_nats_per_view": {
            "oracle": round(float(oracle_nll(world, test).mean()), 4),
            "DurationPosition": round(float(DurationPosition.fit(train).nll(test).mean()), 4),
            "DurationHazard": round(float(DurationHazard.fit(train).nll(test).mean()), 4),
        },
    }

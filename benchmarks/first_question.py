"""What a user's first question to a server costs, and the next one, in CPU ms on one core, without HTTP.

    python benchmarks/first_question.py [RUN] [--videos 100] [--users 100]

Asks about as many videos of the store for each of the busiest users, none of whom was read before, then again. Beside
it the same without what the training worked out of the log: the user's past is then run through the networks. Last,
`segmodel predict-skip` about one video, from the start of its process to its end.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from segmodel.models.hazard.model import HazardModel
from segmodel.serve import scorer
from segmodel.serve.scorer import LiveScorer, Question, open_scorer

WARM_UP_USERS = 5
"""Who are asked about first, so that the videos are known."""


def asked(live: LiveScorer, videos: Sequence[str], users: Sequence[str]) -> np.ndarray:
    """CPU ms of a question about each user."""
    found = []
    for user in users:
        began_s = time.process_time()
        live.answer(Question(videos, user))
        found.append((time.process_time() - began_s) * 1000)
    return np.array(found)


def cold_s(run: Path, user: str, video: str, rounds: int = 5) -> float:
    """Median seconds of the command about one pair, each time in a process of its own."""
    command = [sys.executable, "-c", "from segfeat_cli.segmodel import main; main()", "predict-skip"]
    command += [f"--run={run}", f"--user={user}", f"--video={video}", "--quiet"]
    found = []
    for _ in range(rounds):
        began_s = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found.append(time.perf_counter() - began_s)
    return statistics.median(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, nargs="?", default=Path("runs/latest"))
    parser.add_argument("--videos", type=int, default=100)
    parser.add_argument("--users", type=int, default=100)
    given = parser.parse_args()
    torch.set_num_threads(1)
    scorer._READ_USERS = 0  # nobody is read before the first question
    print(f"{'':<34}{'median':>8}{'90 %':>8}  CPU ms for {given.videos} videos")
    for worked_out in (True, False):
        with tempfile.TemporaryDirectory() as folder:
            live = open_scorer(given.run, Path(folder) / "journal.sqlite")
            if not worked_out:
                assert isinstance(live.run.model, HazardModel), "only the default model works anything out"
                live.run.model.scorer.expectations.clear()
            videos = live.data.store.video_ids[: given.videos].tolist()
            users = live.pasts.users(WARM_UP_USERS + given.users)
            asked(live, videos, users[:WARM_UP_USERS])
            rows = {"first question": asked(live, videos, users[WARM_UP_USERS:])}
            if worked_out:
                rows["the same again"] = asked(live, videos, users[WARM_UP_USERS:])
            for name, spent_ms in rows.items():
                name += "" if worked_out else ", nothing worked out"
                print(f"{name:<34}{np.median(spent_ms):8.1f}{np.quantile(spent_ms, 0.9):8.1f}", flush=True)
            live.close()
    print(f"{'segmodel predict-skip, from cold':<34}{cold_s(given.run, users[0], videos[0]):8.2f}  s")


if __name__ == "__main__":
    main()

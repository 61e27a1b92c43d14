"""The main job from end to end on a small made world: ``make demo``, or ``python examples/demo.py [FOLDER]``.

Makes real videos and a watch log, extracts features, trains, predicts and evaluates with the commands that a user would
type, and says where to look. Needs no network, no GPU and no pretrained weights.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MARK = ".made-by-demo"
"""Stands in folders that this script made and may therefore make anew."""

STEPS = [
    ("a small world: videos, titles, a watch log", "python -m examples.world world"),
    (
        "features of every 5-second segment",
        "segfeat extract world/videos --preset offline --metadata world/titles.csv "
        "--interactions world/watch_log.csv -o feats.h5",
    ),
    ("what is in the store", "segfeat info feats.h5"),
    ("a segment-interest model", "segmodel train feats.h5 --quiet"),
    (
        "where will users who were never seen leave videos that were never shown?",
        "segmodel predict-skip --history world/heldout_history.csv --pairs world/heldout_test.csv -o skips.csv",
    ),
    (
        "and how good is that?",
        "segmodel evaluate --history world/heldout_history.csv --interactions world/heldout_test.csv",
    ),
]


def main() -> None:
    """Run the steps, stopping at the first that fails."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "demo").resolve()
    if folder.exists():
        if not (folder / MARK).exists():
            sys.exit(f"{folder} exists and was not made by this demo; name another folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    began = time.monotonic()
    for title, command in STEPS:
        print(f"\n── {title}\n$ {command}", flush=True)
        program, *arguments = shlex.split(command)
        if program == "python":
            # The world maker is an example, not an installed package: it is found from the checkout.
            done = subprocess.run([sys.executable, *arguments[:2], str(folder / arguments[2])], cwd=ROOT, check=False)
        else:
            done = subprocess.run([shutil.which(program) or program, *arguments], cwd=folder, check=False)
        if done.returncode:
            sys.exit(f"\nthe demo stopped: {command} ended with exit code {done.returncode}")
    print(
        f"\nDone in {time.monotonic() - began:.0f} s. Look at\n"
        f"  {folder}/world/videos/     the videos; play one\n"
        f"  {folder}/feats.h5          the feature store: segfeat info {folder.name}/feats.h5 --videos\n"
        f"  {folder}/skips.csv         one row per segment: interest, skip probability, survival\n"
        f"  {folder}/runs/latest/      the trained model, its configuration and training curve\n"
        f"  {folder}/world/world.json  what nobody observes: how well the true hazard itself would predict"
    )


if __name__ == "__main__":
    main()

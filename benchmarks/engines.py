"""What the Ray engine costs beside the local one: CPU seconds of a command and of every process that it starts.

    python benchmarks/engines.py [--videos 64 192] [--kinds 8] [--folder DIR]

Extracts copies of short portrait videos with sound (see decode.py) with the offline encoders, which cost next to
nothing, so that decoding and the engines themselves are compared; an encoder on top makes the ratio smaller. Both
engines use two cores: the local one two decode processes, Ray one actor of two cores. What a job costs whatever its
size (start-up, the cluster) is told apart from what a video more costs by two sizes; the ratio that counts is the
latter's. Shards hold 32 videos, as always.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from decode import make_videos

PR_SET_CHILD_SUBREAPER = 36
"""Of prctl(2): orphans of the commands become our children, so that what they cost is counted with ours."""

SECONDS = (15, 30)

ENGINES = {
    "local": ["--engine", "local", "--workers", "2"],
    "ray": ["--engine", "ray", "--address", "local", "--actors", "1:1", "--cores-per-actor", "2", "--workers", "2"],
}


def cpu_s(command: Sequence[str]) -> float:
    """CPU seconds of a command and of all that it started, once the last of them has ended."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                time.sleep(0.1)
        except ChildProcessError:
            break
    else:
        raise SystemExit("processes of the command are still running after a minute")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, nargs=2, default=[64, 192], metavar="N")
    parser.add_argument("--kinds", type=int, default=8, help="Different videos, of which the others are copies.")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise SystemExit("needs Linux: processes that outlive their parent could not be counted")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        program = str(Path(sys.executable).parent / "segfeat")
        made = make_videos(folder / "kinds", given.kinds, seconds=SECONDS)
        cost: dict[str, list[float]] = {name: [] for name in ENGINES}
        for count in given.videos:
            videos = folder / f"videos-{count}"
            videos.mkdir(exist_ok=True)
            for i in range(count):
                copy = videos / f"v{i:05d}{made[0].suffix}"
                if not copy.exists():
                    os.link(made[i % len(made)], copy)
            for name, options in ENGINES.items():
                out = folder / f"{name}-{count}.h5"
                for left in folder.glob(f"{out.name}*"):
                    shutil.rmtree(left) if left.is_dir() else left.unlink()
                command = [program, "extract", str(videos), "-o", str(out), "--preset", "offline", "--quiet"]
                cost[name].append(cpu_s([*command, *options]))
                print(f"{count:>6} videos  {name:<6} {cost[name][-1]:8.1f} CPU s", flush=True)
    few, many = given.videos
    each = {name: (b - a) / (many - few) for name, (a, b) in cost.items()}
    for name, more in each.items():
        print(f"{name:<6} {cost[name][0] - few * more:6.1f} CPU s a job, {more:.3f} a video")
    print(f"ray / local, a video: {each['ray'] / each['local']:.3f}")


if __name__ == "__main__":
    main()

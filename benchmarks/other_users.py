"""How well a run of a demo world knows people whom neither it nor its world's log has seen, many of them.

    python -m benchmarks.other_users RUN [--world demo/world] [--users 800] [--groups 8] [--seed 1]

The world's own held-out log has 100 users, whose tastes are a draw like any other. This one draws more users of the
same world, lets each of them watch videos of the training log and then videos that nobody has seen, and measures the
second part: NLL beside that of the true hazards and of a rule that knows lengths alone, and the calibration error (ECE)
of P(leaves at once) and P(completes) with what chance alone allows, for all and for groups of users.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from examples.world.config import WorldConfig
from examples.world.reference import DurationPosition, oracle_nll
from examples.world.simulation import World, simulate, with_other_users
from segmodel.evaluation.metrics import exit_nll
from segmodel.evaluation.reliability import reliability
from segmodel.runs.predictor import PairPredictions, open_predictor


def world_of(folder: Path) -> World:
    """The numbers of a world that was written to ``folder``."""
    table = json.loads((folder / "world.json").read_text())["config"]
    return simulate(WorldConfig(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()}))


def predicted(run: Path, world: World) -> PairPredictions:
    """What a run says of the held-out test views, whose users it knows from their histories alone."""
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "history.csv"
        world.heldout_history.to_csv(history, index=False)
        with open_predictor(run, history=[history]) as predictor:
            return predictor.pairs(predictor.data.read(world.heldout_test, watch_needed=True))


def calibration(found: PairPredictions, rows: np.ndarray) -> str:
    """ECE and what chance allows, of P(leaves at once) and P(completes)."""
    views, told = found.views, found.prediction
    at_once = reliability(told.skip_probability[rows, 0], views.exit[rows] == 0)
    to_the_end = reliability(told.completion[rows], views.exit[rows] == views.segments[rows])
    return "   ".join(f"{x.ece:.4f} ({x.chance_ece:.4f})" for x in (at_once, to_the_end))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--world", type=Path, default=Path("demo/world"))
    parser.add_argument("--users", type=int, default=800)
    parser.add_argument("--groups", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    world = with_other_users(world_of(given.world), given.users, given.seed)
    test, found = world.heldout_test, predicted(given.run, world)
    assert len(found) == len(test), "every view can be predicted"
    nll = exit_nll(found.prediction.slots, found.views.exit).mean()
    least, rule = (x.mean() for x in (oracle_nll(world, test), DurationPosition.fit(world.train).nll(test)))
    print(f"{len(found):,} views of {given.users} users; {(rule - nll) / (rule - least):.2f} of the gap closed")
    print(f"NLL {nll:.4f}, the true hazards {least:.4f}, lengths alone {rule:.4f}")
    print(f"{'ECE (chance)':<14}P(leaves at once)   P(completes)")
    print(f"{'all':<14}{calibration(found, np.arange(len(found)))}")
    group = np.arange(given.users) * given.groups // given.users
    codes, _ = world.codes(test)
    for k in range(given.groups):
        print(f"{f'group {k + 1}':<14}{calibration(found, np.flatnonzero(group[codes - codes.min()] == k))}")


if __name__ == "__main__":
    main()

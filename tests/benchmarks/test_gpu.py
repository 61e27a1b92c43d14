"""The benchmark of a GPU runs from end to end where there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_part_runs_on_a_cpu_and_leaves_its_figures(root: Path, tmp_path: Path) -> None:
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--minutes", "60", "--json", tmp_path / "found"]
    environment = {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*map(str, command)], cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "found").read_text())
    parts = found["parts"]
    assert list(parts) == ["equality", "encoders", "transfers", "feeding", "training", "tests"]
    assert "no card" in found["card"]
    precisions = {(r["modality"], r["precision"]) for r in parts["equality"]}
    assert precisions == {(m, p) for m in ("visual", "text") for p in ("fp32", "bf16")}
    # Half precision is really what is computed in: it is not the same to the last bit.
    assert all((r["relative_error"] > 0) == (r["precision"] == "bf16") for r in parts["equality"])
    assert all(r["items_per_s"] > 0 and r["tflops"] > 0 for r in parts["encoders"])
    assert parts["transfers"] == [{"left out": "no card to transfer to"}]
    few, many, _ = parts["feeding"]
    assert 2 <= few["segments"] < many["segments"]
    assert {(r["what"], r["model"]) for r in parts["training"]} == {
        (what, model) for what in ("training", "serving") for model in ("hazard", "paper, d = 128")
    }
    assert "skipped" in parts["tests"][0]["said"]


def test_an_unknown_part_is_refused_with_the_valid_ones(root: Path) -> None:
    command = [sys.executable, "benchmarks/gpu.py", "--device", "cpu", "--parts", "encoders,nonsense"]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert "unknown parts nonsense; valid are equality, encoders" in done.stderr

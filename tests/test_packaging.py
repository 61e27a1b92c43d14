"""The wheel: it carries every file of ours under names that we own, and runs where nothing of the checkout is."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

FOLDERS = {"segfeat": "segfeat", "segmodel": "segmodel", "cli": "segfeat_cli"}
"""Folder of the checkout -> package in the wheel."""


def run(*command: object, **options: object) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, **options)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return str(done.stdout)


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy so that nothing is left in the checkout."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(root / name, source)
    for name in FOLDERS:
        shutil.copytree(root / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source)
    (built,) = out.iterdir()
    return built


def test_only_names_that_we_own_are_installed(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {n.partition("/")[0] for n in names} == {
        *FOLDERS.values(),
        f"{'-'.join(wheel.name.split('-')[:2])}.dist-info",
    }
    assert any(n.endswith("licenses/LICENSE") for n in names)


def test_every_file_of_the_packages_is_in_the_wheel(wheel: Path, root: Path) -> None:
    expected = set()
    for folder, package in FOLDERS.items():
        for path in (root / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                expected.add(f"{package}/{path.relative_to(root / folder).as_posix()}")
    assert expected - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_both_commands_run_from_the_wheel_in_another_folder(wheel: Path, tmp_path: Path) -> None:
    home = tmp_path / "environment"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # The dependencies are borrowed from the environment that runs the tests; a .pth line adds a folder to the path but
    # does not follow the .pth files in it, so an editable segfeat there stays unseen.
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text("\n".join(site.getsitepackages()))

    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "log.csv").write_text("user_id,video_id,time_ms,duration_ms,watch_ms\n1,a,1,12000,3000\n")

    for name in FOLDERS.values():
        place = run(python, "-c", f"import {name}; print({name}.__file__)", cwd=folder, env=clean)
        assert Path(place.strip()).is_relative_to(packages)
    for command in ("segfeat", "segmodel"):
        assert run(home / "bin" / command, "--help", cwd=folder, env=clean).startswith("Usage:")
        assert "0.1.0" in run(home / "bin" / command, "--version", cwd=folder, env=clean)
    run(home / "bin" / "segfeat", "import", "csv", "log.csv", "-o", "store.h5", cwd=folder, env=clean)
    assert "3 of 5 s" in run(home / "bin" / "segfeat", "info", "store.h5", cwd=folder, env=clean)

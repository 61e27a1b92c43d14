"""Who may import whom, and that asking for help stays light."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from segfeat_cli.segfeat import COMMANDS as SEGFEAT_COMMANDS
from segfeat_cli.segmodel import COMMANDS as SEGMODEL_COMMANDS

ROOT = Path(__file__).parents[1]

OURS = ("segfeat", "segmodel", "segfeat_cli")

STORE = ("segfeat.types", "segfeat.attribute", "segfeat.interactions", "segfeat.segment", "segfeat.store.reader")
"""What segmodel reads of segfeat, beside raw videos: never the store's writer."""

BELOW: dict[str, tuple[str, ...]] = {
    # segfeat, from the ground up
    "segfeat.html": (),
    "segfeat.types": ("segfeat.html",),
    "segfeat.attribute": ("segfeat.types",),
    "segfeat.segment": ("segfeat.types",),
    "segfeat.failures": (),
    "segfeat.whole": (),
    "segfeat.loaded_torch": (),
    "segfeat.available_cores": (),
    "segfeat.tables": (),
    "segfeat.interactions": (),
    "segfeat.log_file": ("segfeat.tables", "segfeat.interactions"),
    "segfeat.log_check": ("segfeat.interactions",),
    "segfeat.partitioned_log": ("segfeat.interactions",),
    "segfeat.store": (
        "segfeat.html", "segfeat.types", "segfeat.attribute", "segfeat.failures", "segfeat.whole",
        "segfeat.loaded_torch", "segfeat.interactions", "segfeat.segment",
    ),
    "segfeat.decode": ("segfeat.types", "segfeat.failures", "segfeat.segment"),
    "segfeat.words": ("segfeat.types", "segfeat.decode"),
    "segfeat.encoders": ("segfeat.types",),
    "segfeat.importers": (
        "segfeat.types", "segfeat.attribute", "segfeat.segment", "segfeat.tables", "segfeat.interactions",
        "segfeat.log_file", "segfeat.log_check", "segfeat.partitioned_log", "segfeat.store", "segfeat.encoders",
    ),
    "segfeat.exporters": ("segfeat.types", "segfeat.whole", "segfeat.store"),
    "segfeat.pipeline": (
        "segfeat.types", "segfeat.segment", "segfeat.failures", "segfeat.whole", "segfeat.tables",
        "segfeat.interactions", "segfeat.log_file", "segfeat.log_check", "segfeat.store", "segfeat.decode",
        "segfeat.words", "segfeat.encoders", "segfeat.available_cores",
    ),
    "segfeat.engines": ("segfeat.types", "segfeat.failures", "segfeat.store", "segfeat.encoders", "segfeat.pipeline"),
    "segfeat.extraction": (
        "segfeat.types", "segfeat.failures", "segfeat.interactions", "segfeat.log_check", "segfeat.store",
        "segfeat.words", "segfeat.encoders", "segfeat.pipeline", "segfeat.engines",
    ),
    "segfeat": ("segfeat.types", "segfeat.store", "segfeat.interactions", "segfeat.log_file", "segfeat.extraction"),
    # segmodel
    "segmodel.state": (),
    "segmodel.countdown": (),
    "segmodel.tables": ("segfeat.whole",),
    "segmodel.data": (*STORE, "segfeat.log_file", "segfeat.partitioned_log"),
    "segmodel.survival": ("segfeat.types",),
    "segmodel.watch_distribution": ("segfeat.types", "segmodel.data", "segmodel.survival"),
    "segmodel.prediction": ("segfeat.types", "segmodel.survival", "segmodel.watch_distribution", "segmodel.data"),
    "segmodel.evaluation": (
        *STORE, "segmodel.watch_distribution", "segmodel.tables", "segmodel.data", "segmodel.survival",
        "segmodel.prediction",
    ),
    "segmodel.models": (
        *STORE, "segmodel.watch_distribution", "segfeat.whole", "segfeat.loaded_torch", "segmodel.data",
        "segmodel.survival", "segmodel.prediction", "segmodel.evaluation",
    ),
    "segmodel.runs": (
        *STORE, "segfeat.log_file", "segfeat.log_check", "segfeat.partitioned_log", "segfeat.tables", "segfeat.whole",
        "segmodel.state", "segmodel.tables", "segmodel.countdown", "segmodel.data", "segmodel.prediction",
        "segmodel.evaluation",
        "segmodel.models",
    ),
    "segmodel.media": (*STORE, "segfeat.decode", "segfeat.whole", "segmodel.data", "segmodel.models", "segmodel.runs"),
    "segmodel.recommend": (
        *STORE, "segfeat.whole", "segmodel.state", "segmodel.tables", "segmodel.data", "segmodel.survival",
        "segmodel.evaluation", "segmodel.models", "segmodel.runs",
    ),
    "segmodel.serve": (
        *STORE, "segfeat.log_check", "segfeat.tables", "segmodel.data", "segmodel.prediction", "segmodel.runs",
    ),
    "segmodel.benchmark": (
        *STORE, "segmodel.watch_distribution", "segfeat.whole", "segfeat.available_cores", "segmodel.countdown",
        "segmodel.data", "segmodel.evaluation", "segmodel.models",
        "segmodel.runs", "segmodel.recommend",
    ),
    "segmodel.report": (
        *STORE, "segfeat.failures", "segfeat.whole", "segmodel.data", "segmodel.prediction", "segmodel.evaluation",
        "segmodel.media", "segmodel.runs",
    ),
    "segmodel.hub": (
        *STORE, "segfeat.whole", "segmodel.data", "segmodel.evaluation", "segmodel.models", "segmodel.runs",
        "segmodel.report",
    ),
    "segmodel.model": (
        *STORE, "segmodel.data", "segmodel.media", "segmodel.recommend", "segmodel.report", "segmodel.runs",
    ),
    "segmodel.api": (
        *STORE, "segmodel.data", "segmodel.model", "segmodel.evaluation", "segmodel.models", "segmodel.runs",
    ),
    "segmodel": ("segmodel.model", "segmodel.api"),
    "segfeat_cli": ("segfeat", "segmodel"),
    "segmodel.__main__": ("segfeat_cli",),
}  # fmt: skip
"""Room -> the rooms whose modules its own may import. A room is a folder, or a module that stands alone."""

HEAVY = {
    "torch", "torchvision", "torchaudio", "av", "decord", "open_clip", "sentence_transformers", "transformers",
    "pandas", "pyarrow", "h5py", "sklearn", "scipy", "fastapi", "uvicorn", "ray", "fsspec",
}  # fmt: skip
"""What neither ``import segfeat``, ``import segmodel`` nor any ``--help`` may load."""

ADDRESS = re.compile(r"(segfeat|segmodel|segfeat_cli)(\.\w+)*:\w+")
"""How registries name what they load on demand."""

COMMANDS = {"segfeat": SEGFEAT_COMMANDS, "segmodel": SEGMODEL_COMMANDS}

# -- who imports whom --------------------------------------------------------------------------------------------------


def modules() -> dict[str, Path]:
    """Every module of ours by its installed name."""
    found = {}
    for folder, package in (("segfeat", "segfeat"), ("segmodel", "segmodel"), ("cli", "segfeat_cli")):
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(p for p in parts if p != "__init__")])] = path
    return found


MODULES = modules()


def imported(module: str, path: Path) -> Iterator[str]:
    """Names of ours that a module imports or mentions as the address in a registry, written absolutely."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # "from segfeat import segment" imports segfeat.segment, "from segfeat.types import Clip" segfeat.types
            yield from (full if (full := f"{base}.{alias.name}") in MODULES else base for alias in node.names)
        elif isinstance(node, ast.Constant) and ADDRESS.fullmatch(str(node.value)):
            yield str(node.value).partition(":")[0]


def room(module: str) -> str:
    """The room that a module stands in: the longest name of the table that holds it."""
    names = [name for name in BELOW if module == name or module.startswith(f"{name}.")]
    found = max(names, key=len)
    # What hangs on a package's own name is a room of its own and must be in the table.
    return found if found in ("segfeat_cli",) or "." in found or module == found else f"{module} (in no room)"


def forbidden(module: str, names: Iterator[str]) -> list[str]:
    """What a module may not import: anything of ours but its own room and the rooms below it."""
    home = room(module)
    allowed = (home, *BELOW.get(home, ())) if home not in ("segfeat", "segmodel") else BELOW[home]
    return [
        name
        for name in names
        if name.partition(".")[0] in OURS and not any(name == a or name.startswith(f"{a}.") for a in allowed)
    ]


def test_the_walk_sees_all_three_packages() -> None:
    assert {name.partition(".")[0] for name in MODULES} == set(OURS)
    assert {"segfeat.store.reader", "segfeat.importers.log", "segmodel.models", "segfeat_cli.lazy"} <= set(MODULES)


def test_every_module_stands_in_a_room_and_every_room_is_there() -> None:
    assert {room(module) for module in MODULES} == set(BELOW)


def test_rooms_lie_above_each_other_without_a_circle() -> None:
    order = list(BELOW)
    for name, below in BELOW.items():
        for other in below:
            assert order.index(room(other)) < order.index(name) or name == "segfeat_cli", (name, other)


@pytest.mark.parametrize("module", MODULES)
def test_dependencies_point_one_way(module: str) -> None:
    assert forbidden(module, imported(module, MODULES[module])) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("segfeat.store.a", "import segmodel.models"),
        ("segfeat.decode.a", "def f():\n    from segmodel.runs import train"),
        ("segfeat.encoders.a", "TABLE = {'x': 'segfeat.pipeline.run:Extraction'}"),
        ("segfeat.pipeline.a", "from segfeat_cli.run import run"),
        ("segfeat.decode.a", "from segfeat.store.reader import FeatureStore"),
        ("segmodel.data.a", "from segfeat.store.writer import write_store"),
        ("segmodel.runs.a", "from segfeat.store import writer"),
        ("segmodel.models.a", "import segfeat"),
        ("segmodel.data.a", "from ..models import base"),
        ("segmodel.evaluation.a", "from segmodel.models import make_model"),
        ("segmodel.models.a", "from segmodel.runs.run import Run"),
        ("segmodel.runs.a", "from segmodel.report.page import write_report"),
        ("segmodel.a", "import segfeat.types"),
        ("segmodel.api", "from segfeat_cli import run"),
    ],
)
def test_a_wrong_import_would_be_found(tmp_path: Path, module: str, source: str) -> None:
    path = tmp_path / "a.py"
    path.write_text(source)
    names = list(imported(module, path))
    assert forbidden(module, iter(names)) != []


# -- light help --------------------------------------------------------------------------------------------------------

ASK_FOR_HELP = """
import importlib, json, sys
group_name, heavy = sys.argv[1], set(json.loads(sys.argv[2]))
module = importlib.import_module("segfeat_cli." + group_name)
group = getattr(module, group_name)
from click.testing import CliRunner
seen = {}
for command in [None, *module.COMMANDS]:
    result = CliRunner().invoke(group, [*([command] if command else []), "--help"])
    seen[command or ""] = {
        "exit": result.exit_code,
        "help": result.output,
        "error": repr(result.exception) if result.exception else None,
        "heavy": sorted(heavy & set(sys.modules)),
    }
    heavy -= set(sys.modules)
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def help_of() -> dict[str, dict[str, dict[str, object]]]:
    """What each command answers to ``--help``, and the heavy modules it was the first to load."""
    answers = {}
    for group in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-c", ASK_FOR_HELP, group, json.dumps(sorted(HEAVY))], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        answers[group] = json.loads(done.stdout)
    return answers


@pytest.mark.parametrize(("group", "command"), [(g, c) for g, table in COMMANDS.items() for c in ["", *table]])
def test_help_works_and_loads_nothing_heavy(
    help_of: dict[str, dict[str, dict[str, object]]], group: str, command: str
) -> None:
    answer = help_of[group][command]
    assert (answer["exit"], answer["error"]) == (0, None)
    assert str(answer["help"]).startswith("Usage:")
    assert answer["heavy"] == []


@pytest.mark.parametrize("group", COMMANDS)
def test_the_groups_help_lists_every_command(help_of: dict[str, dict[str, dict[str, object]]], group: str) -> None:
    listed = re.findall(r"^  (\S+) ", str(help_of[group][""]["help"]).partition("Commands:")[2], re.MULTILINE)
    assert listed == list(COMMANDS[group])


@pytest.mark.parametrize("package", ["segfeat", "segmodel"])
def test_importing_a_package_loads_nothing_heavy(package: str) -> None:
    code = f"import json, sys, {package}; print(json.dumps(sorted(set(sys.modules) & set({sorted(HEAVY)}))))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == []


def test_a_prediction_waits_for_no_package_that_it_does_not_need() -> None:
    needed = "segmodel.runs.predictor, segmodel.models.hazard.model"
    code = f"import json, sys, {needed}; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(json.loads(done.stdout))
    assert {"h5py", "scipy.special"} <= loaded
    assert not {"torch", "scipy.stats", "sklearn", "skops", "transformers", "open_clip", "torchaudio", "av"} & loaded


def test_every_public_name_of_segfeat_can_be_had() -> None:
    import segfeat

    for name in segfeat.__all__:
        assert getattr(segfeat, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = segfeat.nothing


def test_no_class_name_is_used_twice() -> None:
    """Whoever reads a name in a traceback or a review knows which class it is."""
    homes: dict[str, list[str]] = {}
    for name, path in modules().items():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(name)
    assert {name: places for name, places in homes.items() if len(places) > 1} == {}

"""What a user gets wrong is named in one line with the way out, before any work, and leaves nothing behind."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from segfeat.interactions import Interactions
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader
from segfeat_cli.segmodel import segmodel
from segmodel.data.dataset import make_dataset

Cli = Callable[..., Any]

HEADER = "user_id,video_id,time_ms,duration_ms,playing_time\n"
FAST = ("--set", "members=1", "--epochs", "1", "--device", "cpu")


@pytest.fixture
def feats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_video: Callable[..., Any], rng: np.random.Generator
) -> Path:
    """A store of ten videos with a log, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return make_feats(tmp_path / "feats.h5", make_video, rng)


def make_feats(path: Path, make_video: Callable[..., Any], rng: np.random.Generator) -> Path:
    videos = [make_video(f"v{i}", 10.0 + i) for i in range(10)]
    write_store(path, StoreHeader(5.0, {}, {}), videos, interactions=make(rng))
    return path


def make(
    rng: np.random.Generator, name: Callable[[str], str] = str, factor: dict[str, float] | None = None
) -> Interactions:
    n, video = 240, rng.integers(0, 10, 240)
    ms = 10_000 + 1000 * video
    numbers = {
        "time_ms": 1_700_000_000_000 + np.arange(n) * 60_000,
        "watch_ms": np.maximum(1, (ms * rng.uniform(0.05, 1.1, n)).astype(np.int64)),
        "duration_ms": ms,
    }
    for key, by in (factor or {}).items():
        numbers[key] = np.maximum(1, np.rint(numbers[key] * by).astype(np.int64))
    ids = np.array([name(f"v{i}") for i in range(10)], dtype=object)
    users = np.array([f"u{i}" for i in range(12)], dtype=object)
    return Interactions(users, ids, (np.arange(n) % 12).astype(np.int32), video.astype(np.int32), **numbers)


def write(log: Interactions, path: str) -> str:
    pd.DataFrame(
        {
            "user_id": log.user_ids[log.user], "video_id": log.video_ids[log.video], "time_ms": log.time_ms,
            "duration_ms": log.duration_ms, "playing_time": log.watch_ms,
        }
    ).to_csv(path, index=False)  # fmt: skip
    return path


WRONG_LOGS: dict[str, tuple[dict[str, Any], str]] = {
    "seconds": ({"factor": {"time_ms": 1e-3, "watch_ms": 1e-3, "duration_ms": 1e-3}}, "time_ms is in seconds"),
    "durations in seconds": ({"factor": {"duration_ms": 1e-3, "watch_ms": 1e-3}}, "duration_ms is in seconds: video"),
    "watch in seconds": ({"factor": {"watch_ms": 1e-3}}, "--unit watch=s"),
    "microseconds": ({"factor": {"duration_ms": 1e3, "watch_ms": 1e3}}, "--unit us"),
    "suffix": ({"name": lambda v: f"{v}.mp4"}, "with the file's suffix"),
    "capitals": ({"name": str.upper}, "in other capitals"),
}


@pytest.mark.parametrize("what", WRONG_LOGS)
def test_training_refuses_a_log_that_cannot_be_right(
    cli: Cli, feats: Path, rng: np.random.Generator, what: str
) -> None:
    how, message = WRONG_LOGS[what]
    answer = cli("segmodel", "train", feats, "--interactions", write(make(rng, **how), "log.csv"), *FAST)
    assert answer.code == 1
    assert message in answer.err
    assert answer.err.count("\n") == 1
    assert not Path("runs").exists()


def test_a_unit_that_is_named_is_read(cli: Cli, feats: Path, rng: np.random.Generator) -> None:
    log = make(rng, factor={"time_ms": 1e-3, "watch_ms": 1e-3, "duration_ms": 1e-3})
    answer = cli("segmodel", "train", feats, "--interactions", write(log, "log.csv"), "--unit", "s", *FAST)
    assert answer.code == 0, answer.err
    assert cli("segmodel", "evaluate", "runs/hazard-1", "--baselines", "none").code == 0
    assert json.loads(Path("runs/hazard-1/config.json").read_text())["unit"] == ["s"]


def test_import_refuses_another_unit_and_takes_it_by_name(cli: Cli, feats: Path, rng: np.random.Generator) -> None:
    log = write(make(rng, factor={"watch_ms": 1e-3, "duration_ms": 1e-3}), "log.csv")
    answer = cli("segfeat", "import", "csv", log, "-o", "out.h5")
    assert (answer.code, Path("out.h5").exists()) == (1, False)
    assert "duration_ms is probably in seconds" in answer.err
    answer = cli("segfeat", "import", "csv", log, "-o", "out.h5", "--unit", "duration=s", "--unit", "watch=s")
    assert answer.code == 0, answer.err


WRONG_SETTINGS = {
    "--epochs 0": "setting epochs must be at least 1, not 0",
    "--epochs -1": "setting epochs must be a number of at least 0, not -1",
    "--set dropout=1.5": "setting dropout must lie between 0 and 1, not 1.5",
    "--set dropout=1": "setting dropout must lie between 0 and 1",
    "--set members=0": "setting members must be at least 1, not 0",
    "--set learning_rate=0": "setting learning_rate must be above 0",
    "--set learning_rate=nan": "setting learning_rate must be a number of at least 0, not nan",
    "--train-share 1.2": "train_share 1.2 must lie between 0 and 0.9",
    "--max-segments 0": "setting max_segments must be at least 1",
    "--max-duration-s 0": "max_duration_s must be a positive number",
    "--unit h": "unknown unit 'h'; valid are ms, s, us",
}


@pytest.mark.parametrize("options", WRONG_SETTINGS)
def test_settings_out_of_range_are_refused_before_a_folder_is_made(cli: Cli, feats: Path, options: str) -> None:
    answer = cli("segmodel", "train", feats, *options.split(" "))
    assert answer.code == 1
    assert WRONG_SETTINGS[options] in answer.err
    assert not Path("runs").exists()


def test_a_training_that_fails_leaves_no_folder_and_an_interrupted_one_says_how_to_go_on(
    cli: Cli, feats: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from segmodel.models.hazard.model import HazardModel

    whole = HazardModel.fit

    def failing(error: BaseException) -> Callable[..., None]:
        def fit(*_: object) -> None:
            raise error

        return fit

    monkeypatch.setattr(HazardModel, "fit", failing(ValueError("nothing to learn")))
    answer = cli("segmodel", "train", feats, *FAST)
    assert (answer.code, list(Path("runs").iterdir())) == (1, [])
    monkeypatch.setattr(HazardModel, "fit", failing(KeyboardInterrupt()))
    answer = cli("segmodel", "train", feats, *FAST)
    assert answer.code == 130
    assert "segmodel train --resume runs/hazard-1" in answer.err
    monkeypatch.setattr(HazardModel, "fit", whole)
    assert cli("segmodel", "train", "--resume", "runs/hazard-1", "--device", "cpu").code == 0


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, make_video: Callable[..., Any]) -> Path:
    """A folder of one run, trained on a store like ``feats``."""
    folder = tmp_path_factory.mktemp("trained")
    store = make_feats(folder / "feats.h5", make_video, np.random.default_rng(20250413))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = CliRunner().invoke(segmodel, ["train", str(store), *FAST])
    assert result.exit_code == 0, result.output
    return folder / "runs"


@pytest.fixture
def trained(feats: Path, runs: Path) -> Path:
    """The run in the working folder, to be changed at will."""
    return Path(shutil.copytree(runs, "runs", symlinks=True)) / "hazard-1"


def test_no_command_reads_a_log_or_makes_a_dataset_twice(
    cli: Cli, trained: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    import segmodel.data.log as later_log
    import segmodel.runs.data as data

    extra = write(make(rng), "extra.csv")
    reads: list[Any] = []
    made: list[tuple[int, ...]] = []
    read = data.read_interactions

    def counted(*args: Any, **keywords: Any) -> Any:
        reads.append(args)
        return read(*args, **keywords)

    def dataset(log: Interactions, store: Any, **options: Any) -> Any:
        pairs = options.get("pairs")
        made.append((len(log), -1 if pairs is None else len(pairs)))
        return make_dataset(log, store, **options)

    monkeypatch.setattr(data, "read_interactions", counted)
    monkeypatch.setattr(later_log, "read_interactions", counted)
    monkeypatch.setattr(data, "make_dataset", dataset)
    commands: dict[str, tuple[object, ...]] = {
        "predict-skip": (), "evaluate": ("--baselines", "positions"), "recommend": ("--user", "u1", "--watched"),
        "edit-list": ("--video", "v1"), "report": ("--baselines", "random"),
    }  # fmt: skip
    for command, options in commands.items():
        for history in ((), ("--history", extra)):
            reads.clear(), made.clear()
            answer = cli("segmodel", command, trained, *options, *history)
            assert answer.code == 0, (command, answer.err)
            assert len(reads) == len(history) // 2, command
            assert len(made) == len(set(made)), (command, made)
    reads.clear(), made.clear()
    answer = cli("segmodel", "train", "feats.h5", "--interactions", extra, *FAST)
    assert (answer.code, len(reads), len(made)) == (0, 1, 1)


def test_prediction_is_for_new_things(cli: Cli, trained: Path, feats: Path, make_video: Callable[..., Any]) -> None:
    write_store(Path("new.h5"), StoreHeader(5.0, {}, {}), [make_video("fresh", 14.0)])
    for history in ((), ("--history", "history.csv")):
        Path("history.csv").write_text(HEADER + "u1,fresh,1700000000000,14000,3000\n")
        asked = ("--store", "new.h5", "--user", "u1", "--user", "new", "--video", "fresh", *history)
        answer = cli("segmodel", "predict-skip", trained, *asked, "--json")
        assert answer.code == 0, answer.err
        pairs = json.loads(answer.out)["pairs"]
        assert [p["user_known"] for p in pairs] == [bool(history), False]
    rows = "".join(f"u1,v{i % 10},{1_800_000_000_000 + i},0,0\n" for i in range(500)) + "u1,nowhere,1800000000999,0,0\n"
    Path("pairs.csv").write_text(HEADER + rows)
    answer = cli("segmodel", "predict-skip", trained, "--pairs", "pairs.csv", "-o", "p.parquet")
    assert answer.code == 0
    assert "1 pairs not predicted: not in the store, and no duration given" in answer.err
    assert pd.read_parquet("p.parquet").groupby("time_ms").ngroups == 500
    answer = cli("segmodel", "predict-skip", trained, "--pairs", "pairs.csv", "--strict")
    assert answer.code == 3
    assert "not predicted: user 'u1', video 'nowhere': not in the store" in answer.err


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".json", ".jsonl"])
def test_the_suffix_decides_the_format(cli: Cli, trained: Path, suffix: str) -> None:
    out = f"out{suffix}"
    assert cli("segmodel", "predict-skip", trained, "--user", "u1", "--video", "v1", "-o", out).code == 0
    read = {".parquet": pd.read_parquet, ".json": pd.read_json, ".jsonl": lambda p: pd.read_json(p, lines=True)}
    table = read.get(suffix, pd.read_csv)(out)
    assert table.columns[0] == "user_id"
    assert len(table) == 3


@pytest.mark.parametrize(
    ("command", "options", "valid"),
    [
        ("predict-skip", ("-o", "out.xlsx"), ".csv, .csv.gz, .parquet, .json, .jsonl, and - for"),
        ("evaluate", ("--per-view", "out"), ".parquet"),
        ("recommend", ("--user", "u1", "-o", "out.txt"), ".parquet"),
        ("edit-list", ("--video", "v1", "--edl", "out.xml"), "valid are .edl"),
        ("report", ("-o", "out.pdf"), "valid are .html, .htm"),
        ("preview", ("--user", "u1", "--video", "v1", "-o", "out.webm"), ".mp4"),
        ("thumbnail", ("--user", "u1", "--video", "v1", "-o", "out.xyz"), ".png"),
    ],
)
def test_other_suffixes_are_refused(
    cli: Cli, trained: Path, command: str, options: tuple[str, ...], valid: str
) -> None:
    answer = cli("segmodel", command, trained, *options)
    assert answer.code in (1, 2)
    assert valid in answer.err
    assert not list(Path().glob("out*"))


def test_a_table_goes_to_the_standard_output(cli: Cli, trained: Path) -> None:
    answer = cli("segmodel", "predict-skip", trained, "--user", "u1", "--video", "v1", "-o", "-")
    assert answer.code == 0
    assert answer.out.splitlines()[0].startswith("user_id,video_id,time_ms")
    assert len(answer.out.splitlines()) == 4


def test_runs_are_named_without_an_option_and_typing_errors_are_guessed(cli: Cli, trained: Path) -> None:
    assert cli("segmodel", "evaluate", trained, "--baselines", "none").code == 0
    answer = cli("segmodel", "evaluate", trained, "--run", "runs/other")
    assert answer.code == 2
    assert "two runs are named" in answer.err
    answer = cli("segmodel", "trian", "feats.h5")
    assert answer.code == 2
    assert "Did you mean 'train'?" in answer.err
    assert "Did you mean 'extract'?" in cli("segfeat", "extrct").err


def test_truncated_weights_are_named_and_follow_the_umask(cli: Cli, trained: Path) -> None:
    weights = trained / "model" / "weights.safetensors"
    plain = Path("plain")
    plain.write_bytes(b"")
    assert weights.stat().st_mode == plain.stat().st_mode
    weights.write_bytes(weights.read_bytes()[:-100])
    answer = cli("segmodel", "predict-skip", trained)
    assert answer.code == 1
    assert "weights.safetensors: cut off or no weights file" in answer.err
    assert answer.err.count("\n") == 1


def test_odd_but_possible_logs_train(cli: Cli, feats: Path, rng: np.random.Generator) -> None:
    log = make(rng)
    completed = write(replace(log, watch_ms=log.duration_ms), "a.csv")
    answer = cli("segmodel", "train", feats, "--interactions", completed, *FAST)
    assert answer.code == 0, answer.err
    tied = write(replace(log, time_ms=0 * log.time_ms), "b.csv")
    answer = cli("segmodel", "train", feats, "--interactions", tied, *FAST)
    assert answer.code == 1
    assert "nothing to learn from" in answer.err


def test_an_empty_folder_and_a_store_that_is_none_are_named(cli: Cli, feats: Path) -> None:
    Path("empty").mkdir()
    answer = cli("segfeat", "extract", "empty", "--preset", "offline", "-o", "out.h5")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    with h5py.File("other.h5", "w") as file:
        file["x"] = 1
    for path, message in (("other.h5", "not a segfeat store"), ("nowhere.h5", "no such store")):
        answer = cli("segmodel", "train", path)
        assert answer.code == 1
        assert message in answer.err


@pytest.mark.parametrize("dry", [(), ("--dry-run",)])
def test_no_network_for_weights_is_one_line_with_a_way_out(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dry: tuple[str, ...]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    Path("a.mp4").write_bytes(b"x")
    answer = cli("segfeat", "extract", "a.mp4", "--audio", "none", "--text", "none", *dry)
    assert answer.code == 1
    assert "open_clip:ViT-B-32@laion2b_s34b_b79k is not available" in answer.err
    assert "Choices:" in answer.err
    assert answer.err.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict-skip", "--user", "u1", "--video", "v1"), ("evaluate", "--baselines", "none"),
        ("recommend", "--user", "u1", "--watched"), ("edit-list", "--video", "v1"), ("report", "--baselines", "none"),
        ("compare", "--baselines", "random"),
    ],
)  # fmt: skip
def test_every_command_that_prints_can_print_json_or_nothing(
    cli: Cli, trained: Path, arguments: tuple[str, ...]
) -> None:
    answer = cli("segmodel", arguments[0], trained, *arguments[1:], "--json")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)
    assert cli("segmodel", arguments[0], trained, *arguments[1:], "-q").out == ""


@pytest.mark.parametrize(
    "option", [("--store", "feats.h5"), ("--cuts", "0.8"), ("--seeds", "1,2"), ("--set", "d=8"), ("--epochs", "2")]
)
def test_compare_trains_nothing_unasked(cli: Cli, option: tuple[str, str]) -> None:
    answer = cli("segmodel", "compare", "runs/a", *option)
    assert answer.code == 2
    assert f"{option[0]}: only with --fit" in answer.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--unit", "s"), "give it with --interactions"),
        (("--context", "tab"), "give it with --interactions"),
        (("--share", "1/2", "--dry-run"), "neither --dry-run nor --engine"),
        (("--share", "1/2", "--engine", "ray"), "neither --dry-run nor --engine"),
    ],
)
def test_extract_ignores_no_option(cli: Cli, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    answer = cli("segfeat", "extract", tmp_path, "--preset", "offline", "-o", tmp_path / "f.h5", *options)
    assert answer.code == 2
    assert words in answer.err
    assert not list(tmp_path.iterdir())

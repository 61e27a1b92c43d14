"""Pushed and pulled again: the same predictions, the same store, and a card with true figures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import create_autospec

import numpy as np
import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

from segfeat.store.conversion import compact
from segfeat.store.reader import FeatureStore
from segfeat_cli.segmodel import segmodel
from segmodel.evaluation.bootstrap import user_interval
from segmodel.hub.places import Folder, Repository, place
from segmodel.hub.transfer import RUN_FILES, pull, push_run, push_store
from segmodel.report.results import RunResults, measure
from segmodel.runs.config import run_config
from segmodel.runs.predictor import open_predictor
from segmodel.runs.run import Run
from segmodel.runs.train import prepare, train
from segmodel.runs.update import update

SETTINGS = {"members": 1, "epochs": 1}


@pytest.fixture
def run(store_path: Path, workplace: Path) -> Run:
    return train(prepare(run_config(store_path, SETTINGS)), workplace / "runs" / "small")


@pytest.fixture
def results(run: Run) -> RunResults:
    with open_predictor(run) as predictor:
        return measure(predictor, ["all-position", "duration-position"])


@pytest.fixture
def pushed(run: Run, results: RunResults, tmp_path: Path) -> Path:
    push_run(run, Folder(tmp_path / "hub" / "run"), results.evaluations, results.comparison)
    return tmp_path / "hub" / "run"


def test_a_pulled_run_predicts_what_the_pushed_one_did(
    run: Run, pushed: Path, store_path: Path, tmp_path: Path
) -> None:
    back = pull(Folder(pushed), "model", tmp_path / "back", store=store_path)
    slots = []
    for folder in (run.folder, back):
        with open_predictor(folder) as predictor:
            slots.append(predictor.run.model.predict(predictor.data.dataset).slots)
    np.testing.assert_array_equal(*slots)


def test_nothing_of_this_machine_goes_along(run: Run, results: RunResults, workplace: Path) -> None:
    (run.folder / "secret.txt").write_text("not for others")
    # Named as the user named it.
    push_run(run, Folder(Path("hub")), results.evaluations, results.comparison)
    pushed = workplace / "hub"
    files = {p.relative_to(pushed).as_posix() for p in pushed.rglob("*") if p.is_file()}
    assert files == {"README.md", *RUN_FILES}
    for name in ("README.md", "config.json", "data.json"):
        assert str(workplace) not in (pushed / name).read_text()
    assert json.loads((pushed / "config.json").read_text())["store"] == "feats.h5"


def test_an_updated_run_goes_along_without_folders_and_is_pulled_with_its_files(
    run: Run, results: RunResults, store_path: Path, workplace: Path
) -> None:
    with FeatureStore(store_path) as store:
        log = store.interactions
    assert log is not None
    table = pd.DataFrame(
        {"user_id": log.user_ids[:8], "video_id": log.video_ids[:8], "time_ms": int(log.time_ms.max()) + 1000,
         "duration_ms": 20_000, "playing_time": 4_000}
    )  # fmt: skip
    table.to_csv(workplace / "new.csv", index=False)
    kinds = workplace / "kinds.csv"
    kinds.write_text("video_id,kind\nv0,rare\n")
    later = update(run, [workplace / "new.csv"], workplace / "runs" / "later")
    split = replace(later.config, split=f"leave-out {kinds}:kind=rare")
    push_run(replace(later, config=split), Folder(workplace / "hub"), results.evaluations, results.comparison)
    told = json.loads((workplace / "hub" / "config.json").read_text())
    assert (told["updates"], told["split"]) == (["new.csv"], "leave-out kinds.csv:kind=rare")
    assert str(workplace) not in (workplace / "hub" / "config.json").read_text()

    push_run(later, Folder(workplace / "hub2"), results.evaluations, results.comparison)
    with pytest.raises(ValueError, match=r"the run has read new\.csv; give as many files"):
        pull(Folder(workplace / "hub2"), "model", workplace / "b", store_path, [workplace / "new.csv"] * 2)
    back = pull(Folder(workplace / "hub2"), "model", workplace / "back", store_path, [workplace / "new.csv"])
    with open_predictor(back) as one, open_predictor(later) as other:
        assert len(one.data.own_log) == len(other.data.own_log) > len(log.take(log.first_of_duplicates()))


def test_a_store_in_parts_goes_as_one_file(store_path: Path, workplace: Path) -> None:
    compact(store_path, workplace / "feats")
    for source, place_ in ((workplace / "feats", "./parts"), (store_path, "./file")):
        done = CliRunner().invoke(segmodel, ["push", str(source), place_])
        assert done.exit_code == 0, done.output
    with FeatureStore(workplace / "parts" / "feats.h5") as one, FeatureStore(workplace / "file" / "feats.h5") as other:
        assert one.content_hash == other.content_hash
        assert one.root == ""
    refused = CliRunner().invoke(segmodel, ["push", str(workplace / "feats"), "./x", "--store", str(store_path)])
    assert refused.exit_code != 0
    assert "--store belongs to a run" in refused.output


def test_the_model_card_says_what_was_measured(run: Run, results: RunResults, pushed: Path) -> None:
    card = (pushed / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["library_name"] == "segmodel"
    assert "hazard" in header["tags"]
    own = results.own
    nll = user_interval(own.metrics.nll, own.views.user_ids[own.views.user].astype(str))
    assert f"| NLL of the true exit (nats) | {nll.mean:.3f} [{nll.low:.3f}, {nll.high:.3f}] |" in card
    figure = results.comparison.table(results.comparison.cuts[0])["all-position"]["nll"]
    assert (
        f"| all-position | {figure.mean:.3f} | {figure.difference:+.3f} [{figure.low:+.3f}, {figure.high:+.3f}] |"
        in card
    )
    assert run.data["store_hash"] in card
    assert run.data["log_fingerprint"] in card
    for words in ("## Limits", "ids of the users", f"segmodel pull {pushed} -o"):
        assert words in card


def test_the_card_warns_of_a_split_that_leaks(store_path: Path, workplace: Path) -> None:
    leaky = train(prepare(run_config(store_path, {**SETTINGS, "split": "random"})), workplace / "leaky")
    with open_predictor(leaky) as predictor:
        found = measure(predictor, [])
    push_run(leaky, Folder(workplace / "hub"), found.evaluations, found.comparison)
    assert "too good" in (workplace / "hub" / "README.md").read_text()


def test_a_store_comes_back_equal_with_its_data_card(store_path: Path, tmp_path: Path) -> None:
    with FeatureStore(store_path) as store:
        push_store(store, Folder(tmp_path / "hub"))
        back = pull(Folder(tmp_path / "hub"), "dataset", tmp_path / "back.h5")
        with FeatureStore(back) as pulled:
            assert pulled.content_hash == store.content_hash
            assert pulled.root == ""
            np.testing.assert_array_equal(
                pulled.gather("visual", np.arange(3))[0], store.gather("visual", np.arange(3))[0]
            )
        card = (tmp_path / "hub" / "README.md").read_text()
        log = store.interactions
        assert log is not None
        assert f"{len(log):,} views of {len(log.user_ids):,} users" in card
        assert store.content_hash in card
        assert f"| audio | 4 | test:audio | test | none | none | {int(store.valid('audio').sum()):,} (" in card


def test_what_is_cut_off_is_refused_and_leaves_nothing(pushed: Path, tmp_path: Path) -> None:
    weights = pushed / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"weights\.safetensors"):
        pull(Folder(pushed), "model", tmp_path / "back")
    with pytest.raises(ValueError, match="no such store"):
        pull(Folder(pushed), "dataset", tmp_path / "back.h5")
    assert sorted(p.name for p in tmp_path.iterdir() if "back" in p.name) == []


def test_an_existing_place_is_not_overwritten(pushed: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(ValueError, match="there exists"):
        pull(Folder(pushed), "model", tmp_path / "there")


def test_names_of_places() -> None:
    assert place("me/model-1") == Repository("me/model-1")
    assert place("./me/model") == Folder(Path("me/model"))
    assert place("/tmp/x") == Folder(Path("/tmp/x"))
    for wrong in ("model", "a/b/c", "me/mo del", ""):
        with pytest.raises(ValueError, match="owner/name"):
            place(wrong)


def test_the_hub_is_asked_for_what_it_offers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls fit the signatures of the client that is installed, and carry folder, kind and privacy."""
    import huggingface_hub

    client = create_autospec(huggingface_hub.HfApi, instance=True)
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: client)
    assert "me/x" in Repository("me/x").put(tmp_path, "model", private=True)
    client.create_repo.assert_called_once_with("me/x", repo_type="model", private=True, exist_ok=True)
    client.upload_folder.assert_called_once_with(repo_id="me/x", repo_type="model", folder_path=tmp_path)
    Repository("me/x").get(tmp_path, "dataset")
    client.snapshot_download.assert_called_once_with("me/x", repo_type="dataset", local_dir=tmp_path)


def test_a_hub_out_of_reach_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    client = create_autospec(huggingface_hub.HfApi, instance=True)
    client.snapshot_download.side_effect = OSError("no route")
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: client)
    with pytest.raises(ValueError, match="me/x: cannot be pulled as a model: no route"):
        Repository("me/x").get(tmp_path, "model")


def test_both_commands(run: Run, store_path: Path, workplace: Path) -> None:
    def ask(*arguments: object) -> Any:
        return CliRunner().invoke(segmodel, list(map(str, arguments)))

    assert ask("push", run.folder, "./hub/run").exit_code == 0
    assert ask("push", store_path, "./hub/store", "-q").output == ""
    assert ask("pull", "./hub/store", "--type", "dataset", "-o", "s.h5").exit_code == 0
    assert ask("pull", "./hub/run", "-o", "runs/back", "--store", "s.h5").output == "./hub/run -> runs/back\n"
    assert json.loads((workplace / "runs/back/config.json").read_text())["store"] == str(workplace / "s.h5")
    wrong = ask("push", run.folder, "model")
    assert wrong.exit_code == 1
    assert isinstance(wrong.exception, ValueError)

"""Many files at once: one video that cannot be read costs its own file alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from segmodel.media.write_each import write_each


@dataclass(frozen=True)
class Choice:
    user_id: str
    video_id: str


def write(choice: Choice, path: Path) -> None:
    if choice.video_id == "gone":
        raise ValueError("gone.mp4: the raw video is not there")
    path.write_text(choice.user_id)


def test_a_video_that_cannot_be_read_costs_its_own_file_alone(tmp_path: Path) -> None:
    chosen = [Choice("u1", "there"), Choice("u2", "gone"), Choice("u3", "there")]
    assert write_each(chosen, tmp_path / "out", ".txt", write) == ["gone.mp4: the raw video is not there"]
    index = pd.read_csv(tmp_path / "out" / "index.csv", keep_default_na=False)
    assert list(index.error) == ["", "gone.mp4: the raw video is not there", ""]
    assert index.file[1] == ""
    assert [(tmp_path / "out" / index.file[i]).read_text() for i in (0, 2)] == ["u1", "u3"]
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_where_none_can_be_read_it_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.mp4"):
        write_each([Choice("u1", "gone"), Choice("u2", "gone")], tmp_path / "out", ".txt", write)
    assert not (tmp_path / "out" / "index.csv").exists()

"""A full disk is an error that says so, and HDF5 never notices."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.store.disk import Disk
from segfeat.store.hdf5 import create, new_file
from segfeat.store.reader import open_store
from segfeat.store.writer import write_store
from segfeat.types import StoreHeader, VideoFeatures


class Small(io.BytesIO):
    """A raw file of limited size, which takes what fits and then refuses."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def write(self, data: bytes) -> int:  # type: ignore[override]
        room = self.limit - self.tell()
        if room <= 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data)[:room])

    def truncate(self, size: int | None = None) -> int:
        if size is not None and size > self.limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().truncate(size)


Writes = st.lists(st.tuples(st.integers(0, 40), st.binary(min_size=1, max_size=20)), max_size=12)


@given(Writes, st.integers(0, 60))
def test_what_was_written_can_be_read_whatever_fits(writes: list[tuple[int, bytes]], limit: int) -> None:
    disk, reference = Disk(Small(limit)), io.BytesIO()  # type: ignore[arg-type]
    for at, data in writes:
        disk.seek(at)
        assert disk.write(data) == len(data)
        assert disk.tell() == at + len(data)
        reference.seek(at)
        reference.write(data)
    end = len(reference.getvalue())
    assert disk.seek(0, io.SEEK_END) == end
    disk.seek(0)
    assert disk.read(end + 3) == reference.getvalue() + b"\0\0\0"
    assert (disk.error is None) == all(at + len(data) <= limit for at, data in writes)


@pytest.mark.parametrize("limit", range(0, 60_000, 4_000))
def test_a_store_that_does_not_fit_is_an_error_at_any_size(
    tmp_path: Path, make_video: Callable[..., VideoFeatures], monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr("segfeat.store.hdf5.Disk", lambda raw: Disk(Small(limit)))  # type: ignore[arg-type]
    videos = [make_video(f"v{i}", 200.0, segment_text=("some words",) * 40) for i in range(20)]
    with pytest.raises(OSError, match="No space left on device") as error:
        write_store(tmp_path / "store.h5", StoreHeader(5.0), videos)
    assert str(tmp_path / "store.h5") in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_limit_of_the_system_ends_in_an_error_and_not_in_a_crash(tmp_path: Path) -> None:
    code = f"""
import resource, numpy as np
from segfeat.store.hdf5 import create, new_file
for limit in (100, 3000, 100_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        with new_file({str(tmp_path / "f.h5")!r}) as file:
            for k in range(3):
                create(file, f"x/{{k}}", (20_000,), np.float64)[...] = np.arange(20_000)
            file.check()
    except OSError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("File too large") == 3
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_columns_are_aligned_for_memory_maps(tmp_path: Path) -> None:
    with new_file(tmp_path / "f.h5") as file:
        for k in range(5):
            create(file, f"x{k}", (257 + k, 3), np.float16)[...] = k
        places = [file[f"x{k}"].id.get_offset() for k in range(5)]
    assert all(place % 64 == 0 for place in places)


def test_a_fitting_file_is_a_file(tmp_path: Path, make_video: Callable[..., VideoFeatures]) -> None:
    write_store(tmp_path / "store.h5", StoreHeader(5.0), [make_video("a", 7.0)], root="/films")
    with open_store(tmp_path / "store.h5") as store:
        assert store.root == "/films"
        assert list(store) == ["a"]

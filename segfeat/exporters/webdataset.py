"""WebDataset: tar files with a sample a segment, which data loaders stream."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from segfeat.store.frames import pieces
from segfeat.store.reader import FeatureStore
from segfeat.types import VideoFeatures

SHARD_SEGMENTS = 10_000
"""Segments of about one tar file: some 50 MB with three modalities; a video's segments stay together."""


def write(store: FeatureStore, folder: Path) -> None:
    """Write ``segments-000000.tar`` and so on.

    A sample's key is the row of its video and the number of its segment. It has ``json`` (``video_id, segment, start_s,
    end_s, words``), ``<modality>.npy`` for the modalities that the segment has and, where there is one, its picture as
    ``webp``.
    """
    for number, videos in enumerate(pieces(store, SHARD_SEGMENTS)):
        with tarfile.open(folder / f"segments-{number:06d}.tar", "w") as file:
            for row in range(videos.start, videos.stop):
                for name, content in _files(row, store.video_at(row)):
                    member = tarfile.TarInfo(name)
                    member.size = len(content)
                    file.addfile(member, io.BytesIO(content))


def _files(row: int, video: VideoFeatures) -> Iterator[tuple[str, bytes]]:
    for segment, (start_s, end_s) in enumerate(video.spans_s.tolist()):
        key = f"{row:09d}_{segment:05d}"
        for modality, values in video.features.items():
            if video.valid[modality][segment]:
                yield f"{key}.{modality}.npy", _npy(values[segment])
        words = video.segment_text[segment] if video.segment_text else ""
        facts = {"video_id": video.video_id, "segment": segment, "start_s": start_s, "end_s": end_s, "words": words}
        yield f"{key}.json", json.dumps(facts).encode()
        if video.thumbnails and video.thumbnails[segment]:
            yield f"{key}.webp", video.thumbnails[segment]


def _npy(values: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(values), allow_pickle=False)
    return content.getvalue()

"""The data card of a store: what is in it, how it was made, and what of it is about people."""

from __future__ import annotations

import json

import numpy as np

from segfeat.store.reader import FeatureStore
from segmodel.hub.markdown import front_matter, table

_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def store_card(store: FeatureStore, repo: str) -> str:
    """Markdown with the front matter that the hub reads; ``repo`` is what one pulls it by."""
    videos, log = len(store), store.interactions
    size = next((name for below, name in _SIZES if videos < below), "n>1M")
    header = {"tags": ["short-video", "segment-features"], "license": "other", "size_categories": [size]}
    columns = []
    for modality, spec in store.encoders.items():
        valid = int(store.valid(modality).sum())
        columns.append(
            (modality, str(spec.dim), spec.name, spec.model, spec.weights, spec.pooling, _share(valid, store))
        )
    parts = [
        f"# Segment features of {videos:,} short videos",
        f"One HDF5 file in the format of segfeat; `segmodel pull {repo} --type dataset -o feats.h5` fetches it, "
        "`segfeat info feats.h5` looks into it, and every column can be read with h5py alone.",
        "## Content",
        table(
            ("", ""),
            [
                ("videos", f"{videos:,}"),
                ("segments", f"{store.segment_total:,} of {store.segment_s:g} s"),
                ("hours", f"{float(np.sum(store.duration_s)) / 3600:.2f}"),
                ("files that gave no video", f"{len(store.failures):,}"),
                ("content hash", f"`{store.content_hash}`"),
                ("format version", str(store.format_version)),
            ],
        ),
    ]
    if columns:
        head = ("features", "numbers", "encoder", "model", "weights", "pooling", "segments with such material")
        parts += ["## Features", "Half precision, one row a segment.", table(head, columns)]
    parts += ["## Watch log", "None." if log is None else _about_log(len(log), len(log.user_ids), len(log.video_ids))]
    parts += [
        "## Limits",
        "- Features stand for the videos; whoever holds the rights to those decides what may be done with them.\n"
        "- Titles, subtitles and the small pictures of segments, where the store has them, are copies of content.\n"
        "- What could not be decoded is marked, not repaired: `segfeat errors feats.h5` lists it.",
        "## How it was made",
        f"```json\n{json.dumps(dict(store.header.parameters), indent=1, default=str)}\n```",
    ]
    return f"---\n{front_matter(header)}---\n\n" + "\n\n".join(parts) + "\n"


def _about_log(views: int, users: int, videos: int) -> str:
    return (
        f"{views:,} views of {users:,} users and {videos:,} videos. **It holds user ids and what these users watched, "
        "when and for how long**: publish it only if they agreed or cannot be traced."
    )


def _share(valid: int, store: FeatureStore) -> str:
    return f"{valid:,} ({valid / max(store.segment_total, 1):.0%})"

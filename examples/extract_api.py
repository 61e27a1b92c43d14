"""Extract features of a folder of videos in Python, and look at them.

    python examples/extract_api.py VIDEOS [STORE]

Needs no weights: the classical descriptors of the preset ``offline``. Leave ``preset`` out for CLIP, wav2vec 2.0 and
MiniLM, or choose an encoder for each modality.
"""

from __future__ import annotations

import sys

import segfeat


def main(videos: str, out: str = "feats.h5") -> None:
    """Extract, then print what the store has for its first video."""
    summary = segfeat.extract(
        [videos],
        out,
        preset="offline",
        segment_s=5.0,
        frames_per_segment=1,
        progress=lambda p: print(f"{p.videos_done}/{p.videos_total} files, {sum(p.failures.values())} failed"),
    )
    print(f"{summary.videos} videos, {summary.segments} segments")
    for failure in summary.failures:
        print(f"no video: {failure.path} ({failure.code}: {failure.message})")

    with segfeat.open_store(out) as store:
        for video_id in list(store)[:1]:
            video = store[video_id]
            print(f"{video_id}: {video.duration_s:.2f} s, segments {video.spans_s.tolist()}")
            for modality, features in video.features.items():
                there = video.valid[modality].nonzero()[0].tolist()
                print(f"  {modality} {features.shape}, in segments {there}")
            print(f"  words {video.segment_text}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])

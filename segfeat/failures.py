"""Why a file gives no video: the one closed list of codes, and the row that a failure is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

FAILURE_CODES: Mapping[str, str] = {
    "not_found": "the file vanished before it was read",
    "id_clash": "other files would be the same video; --id path tells them apart",
    "unreadable": "the file is no regular file, or the operating system refused to read it",
    "empty_file": "the file has no bytes",
    "not_a_video": "no container format is recognised, or its header is missing or broken",
    "no_video_stream": "the file opens but has no moving picture (sound only, or a cover image)",
    "unsupported_codec": "no decoder for the video stream's codec",
    "encrypted": "the pictures are encrypted, and the key is not here",
    "broken_timestamps": "the timestamps make no sense: hours between pictures",
    "no_frames": "the video stream has no picture that can be decoded",
    "no_duration": "no usable timestamps",
    "decoder_refused": "the chosen decoder would read this file wrongly, and says why",
    "decoder_missing": "the chosen decoder's library is not installed",
    "changed": "the file changed while it was read",
    "timeout": "decoding did not finish in time",
    "crashed": "the decoding process died",
    "bad_features": "an encoder gave numbers that are not finite",
    "internal": "an unexpected error; the message has it",
}
"""The closed list of reasons why a file gives no video."""


@dataclass(frozen=True)
class Failure:
    """A file that gave no video, and why."""

    path: str
    code: str
    message: str
    size_bytes: int = 0
    mtime_ns: int = 0

    def __post_init__(self) -> None:
        if self.code not in FAILURE_CODES:
            raise ValueError(f"unknown failure code {self.code!r}; valid are {', '.join(FAILURE_CODES)}")

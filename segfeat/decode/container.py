"""Opening a media file with PyAV, choosing its streams, and reading packets past damage."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Discard, Disposition

from segfeat.decode.base import DecodeError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream
    from av.video.stream import VideoStream

TEXT_CODECS = {"mov_text", "subrip", "srt", "ass", "ssa", "webvtt", "text"}

_NO_VIDEO_FORMATS = {"tty", "image2"}
"""Formats that FFmpeg reads as video but nobody means: text as ANSI art, single images."""

_MAX_READ_ERRORS = 50
"""Consecutive read errors after which a file counts as ended."""


def open_container(path: Path) -> InputContainer:
    """Open a local media file.

    Raises
    ------
    DecodeError
        ``unreadable``, ``empty_file`` or ``not_a_video``.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        raise DecodeError("unreadable", f"{path}: {error.strerror or error}") from error
    if size == 0:
        raise DecodeError("empty_file", f"{path}: the file is empty")
    try:
        # The protocol keeps a name such as "a:b.mp4" from being taken for a URL; playlists may not leave the disk.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except av.FFmpegError as error:
        raise DecodeError("not_a_video", f"{path}: not readable as a video ({_reason(error)})") from error
    if container.format.name in _NO_VIDEO_FORMATS or container.format.name.endswith("_pipe"):
        container.close()
        raise DecodeError("not_a_video", f"{path}: not a video ({container.format.long_name or container.format.name})")
    return container


def choose_video(container: InputContainer, path: Path) -> VideoStream:
    """The video stream to read: default disposition first, then the largest picture, then the first.

    Raises
    ------
    DecodeError
        ``no_video_stream`` or ``unsupported_codec``.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise DecodeError("no_video_stream", f"{path}: has no video stream")
    decodable = [s for s in streams if s.codec_context is not None]
    if not decodable:
        raise DecodeError("unsupported_codec", f"{path}: no decoder for its video stream")
    stream = max(decodable, key=lambda s: (_is_default(s), s.width * s.height, -s.index))
    stream.codec_context.thread_count = 1  # one thread per worker costs least CPU and never oversubscribes
    return stream


def choose_audio(container: InputContainer) -> AudioStream | None:
    """The audio stream to read: default disposition, then most channels, then highest rate, then first; or None."""
    streams = [s for s in container.streams.audio if s.codec_context is not None]
    if not streams:
        return None
    stream = max(streams, key=lambda s: (_is_default(s), s.channels, s.sample_rate, -s.index))
    stream.codec_context.thread_count = 1
    return stream


def choose_text(container: InputContainer) -> SubtitleStream | None:
    """The text track to read: full before forced ones (a few signs), then the default, then the first; or None."""
    streams = [s for s in container.streams.subtitles if s.codec_context is not None and s.name in TEXT_CODECS]
    return max(streams, key=lambda s: (not s.disposition & Disposition.forced, _is_default(s), -s.index), default=None)


def packets(container: InputContainer, stream: Stream, note: Callable[[str, str], None]) -> Iterator[Packet]:
    """The packets of one stream in file order, past read errors, without the empty packet that marks the end.

    Errors are passed to ``note`` as (kind, detail).
    """
    for other in container.streams:
        other.discard = Discard.default if other.index == stream.index else Discard.all
    errors = 0
    while errors < _MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                if packet.size or packet.pts is not None or packet.dts is not None:
                    errors = 0
                    yield packet
            return
        except av.FFmpegError as error:
            errors += 1
            note("read error in the container", _reason(error))


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _reason(error: av.FFmpegError) -> str:
    return error.strerror or str(error)

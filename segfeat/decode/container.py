"""Opening a media file with PyAV, choosing its streams, and reading packets past damage."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.stream import Discard, Disposition

from segfeat.decode.base import DecodeError
from segfeat.decode.channels import channel_count, describe, read_layouts
from segfeat.decode.clock import Clock, leap_of
from segfeat.decode.integrity import headless

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

_ENCRYPTED_TAGS = ("encv", "enca", "drmi", "drms")
"""Sample entries of ISO/IEC 23001-7 (common encryption) and of Apple's older scheme."""

_KINDS = {
    stat.S_IFDIR: "a folder, no file",
    stat.S_IFIFO: "a pipe, no file",
    stat.S_IFSOCK: "a socket, no file",
    stat.S_IFCHR: "a device, no file",
    stat.S_IFBLK: "a device, no file",
}

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
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):  # before it is opened: a pipe would wait for somebody to write
            raise DecodeError("unreadable", f"{path}: {_KINDS.get(stat.S_IFMT(status.st_mode), 'no regular file')}")
        with path.open("rb"):
            pass
    except OSError as error:
        raise DecodeError("unreadable", f"{path}: {error.strerror or error}") from error
    if status.st_size == 0:
        raise DecodeError("empty_file", f"{path}: the file is empty")
    try:
        # The protocol keeps a name such as "a:b.mp4" from being taken for a URL; playlists may not leave the disk.
        container = av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except av.FFmpegError as error:
        reason = headless(path) or f"not readable as a video ({_reason(error)})"
        raise DecodeError("not_a_video", f"{path}: {reason}") from error
    if container.format.name in _NO_VIDEO_FORMATS or container.format.name.endswith("_pipe"):
        container.close()
        raise DecodeError("not_a_video", f"{path}: not a video ({container.format.long_name or container.format.name})")
    return container


def choose_video(container: InputContainer, path: Path) -> VideoStream:
    """The video stream to read: default disposition, then most pictures, then the largest picture, then the first.

    A few stills in the size of a photograph, as phones put them beside the moving picture, are no video.

    Raises
    ------
    DecodeError
        ``no_video_stream``, ``unsupported_codec`` or ``encrypted``.
    """
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise DecodeError("no_video_stream", f"{path}: has no video stream")
    decodable = [s for s in streams if s.codec_context is not None]
    if not decodable:
        if any(f"({tag} /" in describe(container) for tag in _ENCRYPTED_TAGS):
            raise locked(path)
        raise DecodeError("unsupported_codec", f"{path}: no decoder for its video stream")
    preferred = [s for s in decodable if _is_default(s)] or decodable
    counts = _picture_counts(preferred, path) if len(preferred) > 1 else {}
    stream = max(preferred, key=lambda s: (counts.get(s.index, 0), s.width * s.height, -s.index))
    if is_encrypted(stream):
        raise locked(path)
    stream.codec_context.thread_count = 1  # one thread per worker costs least CPU and never oversubscribes
    return stream


def choose_audio(container: InputContainer) -> AudioStream | None:
    """The audio stream to read: default disposition, then most channels, then highest rate, then first; or None.

    Streams that are encrypted or that no decoder knows are passed over; `unheard` names them.
    """
    streams = [s for s in container.streams.audio if s.codec_context is not None and not is_encrypted(s)]
    if not streams:
        return None
    layouts = read_layouts(container) if len(streams) > 1 else {}
    stream = max(
        streams,
        key=lambda s: (_is_default(s), channel_count(layouts.get(s.index, "")), s.sample_rate, -s.index),
    )
    stream.codec_context.thread_count = 1
    return stream


def unheard(container: InputContainer) -> str:
    """Why a file with sound has none that can be read, in words; empty where there is some, or no sound at all."""
    streams = container.streams.audio
    if not streams or choose_audio(container) is not None:
        return ""
    return "it is encrypted" if any(map(is_encrypted, streams)) else "no decoder knows its codec"


def locked(path: Path) -> DecodeError:
    """The error of a file whose pictures are encrypted."""
    return DecodeError("encrypted", f"{path}: its pictures are encrypted (DRM); nobody can read them without the key")


def is_locked(packet: Packet) -> bool:
    """Whether a packet is encrypted: where FFmpeg knows the codec inside, only the packets say so."""
    return packet.has_sidedata("encryption_info")


def is_encrypted(stream: Stream) -> bool:
    """Whether a stream of mp4, mov, Matroska or WebM is encrypted by its header's word; see also `is_locked`."""
    tag = stream.codec_context.codec_tag if stream.codec_context is not None else ""
    return tag in _ENCRYPTED_TAGS or "enc_key_id" in stream.metadata


def choose_text(container: InputContainer) -> SubtitleStream | None:
    """The text track to read: full before forced ones (a few signs), then the default, then the first; or None."""
    streams = [s for s in container.streams.subtitles if s.codec_context is not None and s.name in TEXT_CODECS]
    return max(streams, key=lambda s: (not s.disposition & Disposition.forced, _is_default(s), -s.index), default=None)


def packets(
    container: InputContainer, stream: Stream, note: Callable[[str, str], None], clock: Clock | None = None
) -> Iterator[Packet]:
    """The packets of one stream in file order, past read errors, without the empty packet that marks the end.

    Errors are passed to ``note`` as (kind, detail). With a ``clock`` the packets are put on one time line.
    """
    return _stored(container, stream, note) if clock is None else clock.read(_stored(container, stream, note))


def clock_of(container: InputContainer, stream: Stream, guide: Sequence[Fraction] = ()) -> Clock | None:
    """What puts a stream's packets on one time line where the container's clock may be set anew; None elsewhere."""
    forward_s = leap_of(container.format.name)
    return None if forward_s is None else Clock(stream.time_base or Fraction(1, 1000), forward_s, guide=guide)


def _stored(container: InputContainer, stream: Stream, note: Callable[[str, str], None]) -> Iterator[Packet]:
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


def _picture_counts(streams: Sequence[VideoStream], path: Path) -> dict[int, int]:
    """Pictures of each stream, by the container's word or, where it has none, by counting packets."""
    if all(stream.frames for stream in streams):
        return {stream.index: stream.frames for stream in streams}
    counts = dict.fromkeys((stream.index for stream in streams), 0)
    with open_container(path) as container:
        for other in container.streams:
            other.discard = Discard.default if other.index in counts else Discard.all
        with suppress(av.FFmpegError):
            for packet in container.demux([container.streams[index] for index in counts]):
                counts[packet.stream_index] += packet.size > 0
    return counts


def _is_default(stream: Stream) -> bool:
    return bool(stream.disposition & Disposition.default)


def _reason(error: av.FFmpegError) -> str:
    return error.strerror or str(error)

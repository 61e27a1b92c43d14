"""Decoding that hears what a decoder knows about damage beyond errors and flagged pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
import av.logging

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.codeccontext import VideoCodecContext
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_TALKATIVE = "hevc"
"""FFmpeg's decoder of this name makes up missing references and skips broken units, and only logs it."""

_LIBVPX = "libvpx-vp9"
_LIBVPX_FORMATS = ("yuv420p", "yuv422p", "yuv440p", "yuv444p")
"""Eight bits a sample: more need a special build."""


def strict_codec(stream: VideoStream) -> VideoCodecContext:
    """The decoder of a stream that notices most damage: the stream's own, but for VP9 libvpx.

    FFmpeg's own VP9 decoder takes whatever bits it meets. libvpx refuses a picture that reads beyond its end, as most
    damaged ones do; of whole pictures both make the same bits, in the same time.
    """
    own = stream.codec_context
    alpha = stream.metadata.get("alpha_mode", "0") != "0"
    if own.name != "vp9" or own.pix_fmt not in _LIBVPX_FORMATS or alpha or _LIBVPX not in av.codecs_available:
        return own
    codec: VideoCodecContext = av.CodecContext.create(_LIBVPX, "r")  # type: ignore[assignment]
    codec.thread_count = 1
    return codec


def decode(codec: VideoCodecContext, packet: Packet | None) -> tuple[list[VideoFrame], str]:
    """Pictures that come out when a packet goes in, and what the decoder complained of meanwhile.

    Raises
    ------
    av.FFmpegError
        If the packet does not decode.
    """
    if codec.name != _TALKATIVE:
        return codec.decode(packet), ""
    level, repeats = av.logging.get_level(), av.logging.get_skip_repeated()
    av.logging.set_skip_repeated(False)
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture() as messages:
            frames = codec.decode(packet)
    finally:
        av.logging.set_level(level)
        av.logging.set_skip_repeated(repeats)
    return frames, next((message.strip() for _, source, message in messages if source.startswith(_TALKATIVE)), "")

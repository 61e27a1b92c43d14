"""The reader behind ``auto``: PyAV, by presentation timestamp."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import VideoReformatter

from segfeat.decode.base import NEAR_S, SLACK_S, Cue, Frame
from segfeat.decode.container import clock_of, open_container, packets
from segfeat.decode.damage import Damage
from segfeat.decode.display import Display, read_display
from segfeat.decode.passes import OffTrack, guided_pass, plain_pass
from segfeat.decode.sound import no_sound, read_sound
from segfeat.decode.strict import strict_codec
from segfeat.decode.subtitles import read_cues
from segfeat.decode.survey import Survey, note_missing, survey
from segfeat.types import Float32, Float64, Int64

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from segfeat.decode.clock import Clock

_MAY_SHOW_NOTHING = {
    *("vp8", "vp9", "mpeg4", "h263"),
    *("msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2", "wmv3", "vc1"),
}
"""Codecs with packets that only help others, or say that nothing changed."""


class PyAVReader:
    """See `segfeat.decode.base.VideoReader`. Every method opens the file anew, so that iterators may interleave."""

    name = "pyav"

    def __init__(self, path: Path, pictures_only: bool = False) -> None:
        self.path = path
        self.damage = Damage()
        self._stamps: Int64 | None = None
        self._survey = survey(path, self.damage, pictures_only)
        self.info, self.table, self.display = self._survey.info, self._survey.table, self._survey.display
        self._start, self._tick = self._survey.start, self._survey.tick

    @property
    def problems(self) -> list[str]:
        """What could not be read so far, one line each."""
        return self.damage.lines()

    @property
    def timeline_s(self) -> Float64:
        """Ascending times (P,) of the pictures on screen by the container's word, in seconds after the first."""
        ticks = (self.table.timeline - self._start).astype(np.float64)
        return ticks * float(self._tick)

    def frames(self, times_s: Sequence[float] | Float64, short_side: int | None = None) -> Iterator[Frame | None]:
        """See `VideoReader.frames`."""
        times, _ = self.request(times_s, short_side)
        return self._frames(times, _Painter(self._survey, short_side))

    def request(self, times_s: Sequence[float] | Float64, short_side: int | None) -> tuple[Float64, Display]:
        """Check what `frames` was asked for: the times (K,) and how pictures are to be displayed.

        Raises
        ------
        ValueError
            If the times do not ascend or ``short_side`` is below 1.
        """
        times = np.asarray(times_s, np.float64)
        if not np.isfinite(times).all() or np.any(np.diff(times) < 0):
            raise ValueError("times of pictures must be finite and ascend")
        if short_side is not None and short_side < 1:
            raise ValueError(f"the shorter side must be at least 1 pixel, not {short_side}")
        return times, self.display.scaled(short_side)

    def audio(self, spans_s: Float64, sample_rate: int) -> Iterator[Float32]:
        """See `VideoReader.audio`."""
        if not self.info.has_audio:
            return no_sound(spans_s, sample_rate)
        start_s, shifts = self._start * self._tick, self._survey.shifts
        return read_sound(self.path, spans_s, sample_rate, start_s, self.damage, shifts)

    def cues(self) -> list[Cue]:
        """See `VideoReader.cues`."""
        return read_cues(self.path, self._start * self._tick, self.damage) if self.info.has_subtitles else []

    def close(self) -> None:
        """See `VideoReader.close`; nothing stays open between calls."""

    def _frames(self, times: Float64, painter: _Painter) -> Iterator[Frame | None]:
        given = 0
        if self.table.exact and self._stamps is None:
            targets = self._on_screen(self.table.timeline, times)
            try:
                for frame in self._guided(targets, painter):
                    yield frame
                    given += 1
                return
            except OffTrack:
                pass  # the plain pass below starts over and says what is wrong
        yield from self._plain(times[given:], painter)

    def _guided(self, targets: Int64, painter: _Painter) -> Iterator[Frame]:
        with open_container(self.path) as container:
            stream, clock = self._open(container)
            distinct, repeats = np.unique(targets, return_counts=True)
            source, codec = packets(container, stream, _off_track, clock), strict_codec(stream)
            pictures = guided_pass(source, codec, self.table, distinct.tolist())
            for (stamp, picture), count in zip(pictures, repeats.tolist(), strict=True):
                frame = painter.paint(picture, stamp)
                yield from [frame] * count

    def _plain(self, times: Float64, painter: _Painter) -> Iterator[Frame | None]:
        if self._stamps is None:
            self._stamps = np.array([stamp for stamp, _ in self._decode_all(self.damage)], np.int64)
            self._hear_witness()
            self._note_holes(self._stamps)
        choice = self._choose(self._stamps, times)
        if far := int((choice < 0).sum()):
            self.damage.note(f"time with no picture within {NEAR_S:g} s", f"{times[choice < 0][0]:.2f} s", far)
        remaining = {int(n): int(np.count_nonzero(choice == n)) for n in np.unique(choice)}
        held: dict[int, Frame] = {}
        source = enumerate(self._decode_all(Damage()))
        for number in choice.tolist():
            while number >= 0 and number not in held:
                ordinal, (stamp, picture) = next(source)
                if ordinal in remaining:
                    held[ordinal] = painter.paint(picture, stamp)
            yield held[number] if number >= 0 else None
            remaining[number] -= 1
            if not remaining[number]:
                held.pop(number, None)

    def _choose(self, stamps: Int64, times: Float64) -> Int64:
        """Which decodable picture (its place in decoding order) to show at each time; -1 where none is near."""
        if not len(stamps):
            return np.full(len(times), -1)
        order = np.argsort(stamps, kind="stable")
        ranked = stamps[order]
        rank = np.clip(np.searchsorted(ranked, self._ticks(times), "right") - 1, 0, None)
        if self._survey.timed:
            missed = np.abs(self._on_screen(self.table.timeline, times) - ranked[rank]) * float(self._tick)
            return np.where(missed <= NEAR_S, order[rank], -1)
        return order[rank]

    def _on_screen(self, timeline: Int64, times: Float64) -> Int64:
        return timeline[np.clip(np.searchsorted(timeline, self._ticks(times), "right") - 1, 0, None)]

    def _ticks(self, times: Float64) -> Float64:
        return self._start + (times + SLACK_S) / float(self._tick)

    def _open(self, container: InputContainer) -> tuple[VideoStream, Clock | None]:
        """The chosen stream, for one thread, and its clock."""
        stream = container.streams[self._survey.stream_index]
        stream.codec_context.thread_count = 1
        return stream, clock_of(container, stream)  # type: ignore[return-value]

    def _decode_all(self, damage: Damage) -> Iterator[tuple[int, VideoFrame]]:
        start = self._start if self._survey.in_output_order else None
        with open_container(self.path) as container:
            stream, clock = self._open(container)
            source = packets(container, stream, Damage().note, clock)  # errors were noted when the table was made
            yield from plain_pass(source, stream.codec_context, self._survey.nominal, damage, start)

    def _hear_witness(self) -> None:
        """Note what a stricter decoder refuses; up to the next keyframe it gives no picture at all."""
        with open_container(self.path) as container:
            stream, clock = self._open(container)
            codec = strict_codec(stream)
            if codec is not stream.codec_context:
                source = packets(container, stream, Damage().note, clock)
                for _ in plain_pass(source, codec, self._survey.nominal, self.damage):
                    pass

    def _note_holes(self, stamps: Int64) -> None:
        """Note packets in a row that gave no picture; one alone may be the second field of the picture before."""
        if not self._survey.timed or self.info.codec in _MAY_SHOW_NOTHING or not len(stamps):
            return
        timeline = self.table.timeline
        missing = np.flatnonzero(~np.isin(timeline, stamps) & (timeline >= stamps.min()))
        for run in np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1):
            if len(run) > 1:
                note_missing(self._survey, run, self.damage)


class _Painter:
    """Turns decoded frames into displayed pictures, each in its own shape."""

    def __init__(self, found: Survey, short_side: int | None) -> None:
        self._found, self._short_side = found, short_side
        self._display = found.display.scaled(short_side)
        self._stored = found.display.stored
        self._reformatter = VideoReformatter()

    def paint(self, picture: VideoFrame, stamp: int) -> Frame:
        if (picture.width, picture.height) != self._stored:  # the shape changes in the middle of the stream
            display = read_display(picture, self._found.sample_aspect)
            self._display, self._stored = display.scaled(self._short_side), display.stored
        image = self._display.picture(picture, self._reformatter)
        return Frame(float((stamp - self._found.start) * self._found.tick), image)


def _off_track(kind: str, detail: str) -> None:
    raise OffTrack(f"{kind}: {detail}")

"""The guided pass decodes little, finds the same pictures, and knows when it is off track."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from segfeat.decode import open_video
from segfeat.decode.container import choose_video, open_container, packets
from segfeat.decode.damage import Damage
from segfeat.decode.packets import PacketTable, read_table
from segfeat.decode.passes import OffTrack, guided_pass, plain_pass
from tests.media import Picture, make_video

Media = Callable[[str], Path]


class CountingCodec:
    """A codec that counts the packets it is fed, and those it may skip."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec
        self.fed: list[bool] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._codec, name)

    @property
    def skip_frame(self) -> str:
        return str(self._codec.skip_frame)

    @skip_frame.setter
    def skip_frame(self, mode: str) -> None:
        self._codec.skip_frame = mode

    def decode(self, packet: Any) -> Any:
        if packet is not None:
            self.fed.append(self.skip_frame == "NONREF")
        return self._codec.decode(packet)


def guided(path: Path, choose: Callable[[PacketTable], list[int]]) -> tuple[list[int], CountingCodec]:
    """Timestamps found by the guided pass, and the codec used."""
    with open_container(path) as container:
        stream = choose_video(container, path)
        table = read_table(packets(container, stream, Damage().note), 1)
    with open_container(path) as container:
        stream = choose_video(container, path)
        codec = CountingCodec(stream.codec_context)
        source = packets(container, stream, Damage().note)
        return [pts for pts, _ in guided_pass(source, codec, table, choose(table))], codec  # type: ignore[arg-type]


def test_keyframes_are_jumped_to_and_nothing_after_the_last_picture_is_decoded(media_file: Media) -> None:
    # A keyframe every 25 of 75 packets: the 5th of the first group and the 5th of the third cost 5 packets each.
    wanted, codec = guided(media_file("constant.mp4"), lambda table: table.timeline[[4, 54]].tolist())
    assert len(wanted) == 2
    assert len(codec.fed) == 10


def test_pictures_that_no_other_leans_on_are_skipped_unless_wanted(media_file: Media) -> None:
    _, codec = guided(media_file("b_frames.mp4"), lambda table: table.timeline[[20]].tolist())
    assert sum(codec.fed) == len(codec.fed) - 1
    _, codec = guided(media_file("hevc_b_frames.mp4"), lambda table: table.timeline[[20]].tolist())
    assert sum(codec.fed) == len(codec.fed) - 1
    _, codec = guided(media_file("hevc_layers.mp4"), lambda table: table.timeline[[20]].tolist())
    assert not any(codec.fed)


@pytest.mark.parametrize("name", ["b_frames.mp4", "open_gop.mp4", "hevc_open_gop.mp4", "edit_list.mp4", "stream.ts"])
def test_any_choice_of_pictures_gives_the_same_bits_as_decoding_all(name: str, media_file: Media) -> None:
    reader = open_video(media_file(name))
    every = np.arange(0, reader.info.duration_s, 0.02)
    whole = dict(zip(every.tolist(), reader.frames(every), strict=True))
    rng = np.random.default_rng(0)
    for _ in range(12):
        some = np.sort(rng.choice(every, rng.integers(1, 6)))
        for time_s, frame in zip(some.tolist(), reader.frames(some), strict=True):
            expected = whole[time_s]
            assert frame is not None
            assert expected is not None
            assert frame.time_s == expected.time_s
            np.testing.assert_array_equal(frame.image, expected.image)


def test_times_that_share_a_picture_share_the_frame(media_file: Media) -> None:
    for name in ("variable.mp4", "unordered.mkv"):
        first, second = open_video(media_file(name)).frames([0.001, 0.002])
        assert first is second


def test_a_missing_picture_is_off_track_not_another_one(media_file: Media) -> None:
    path = media_file("damaged.mp4")
    with pytest.raises(OffTrack):
        guided(path, lambda table: table.timeline[[10, 40]].tolist())


def test_a_file_that_changed_since_its_table_was_read_is_off_track(tmp_path: Path) -> None:
    first = make_video(tmp_path / "first.mp4", [Picture(count=20)])
    second = make_video(tmp_path / "second.mp4", [Picture(count=20, fps=10)])
    with open_container(first) as container:
        table = read_table(packets(container, choose_video(container, first), Damage().note), 1)
    with open_container(second) as container:
        stream = choose_video(container, second)
        source = packets(container, stream, Damage().note)
        pictures = guided_pass(source, stream.codec_context, table, table.timeline[[15]].tolist())
        with pytest.raises(OffTrack):
            next(pictures)


def test_the_plain_pass_goes_on_after_damage_and_notes_it(media_file: Media) -> None:
    damage = Damage()
    path = media_file("damaged.mp4")
    with open_container(path) as container:
        stream = choose_video(container, path)
        stamps = [
            pts for pts, _ in plain_pass(packets(container, stream, damage.note), stream.codec_context, 1, damage)
        ]
    assert len(stamps) > 60
    assert any("2 x video packet" in line for line in damage.lines())


class FakePacket:
    """A packet's timestamps."""

    def __init__(self, pts: int | None, dts: int | None, keyframe: bool = False, discard: bool = False) -> None:
        self.pts, self.dts, self.duration = pts, dts, 10
        self.is_keyframe, self.is_discard = keyframe, discard


def table_of(*packets_: FakePacket) -> PacketTable:
    def each() -> Iterator[Any]:
        yield from packets_

    return read_table(each(), 10)


def test_decoding_starts_at_the_last_keyframe_not_shown_after_the_picture() -> None:
    table = table_of(
        FakePacket(0, 0, keyframe=True),
        FakePacket(20, 1),
        FakePacket(10, 2),
        FakePacket(50, 3, keyframe=True),
        FakePacket(30, 4),  # shown before the keyframe it is stored after
        FakePacket(60, 5),
    )
    assert [table.entry(index) for index in range(6)] == [0, 0, 0, 3, 0, 3]
    assert table.exact
    assert (table.start, table.length(10)) == (0, 70)


def test_the_track_ends_a_reordered_video_and_steps_of_decoding_do_not() -> None:
    table = table_of(FakePacket(0, -20, keyframe=True), FakePacket(1000, -10), FakePacket(10, 0))
    assert table.length(500, track=1040, steps=True) == 1040
    assert table.length(500, track=900, steps=True) == 1010  # a header that ends before the last picture is wrong
    assert table.length(500, steps=False) == 1010
    ordered = table_of(FakePacket(0, 0, keyframe=True), FakePacket(10, 10))
    assert ordered.length(500, track=11, steps=True) == 20


def test_guessed_timestamps_give_way_to_the_order_of_output() -> None:
    table = table_of(FakePacket(3, 0, keyframe=True), FakePacket(4, 10), FakePacket(5, 20)).in_output_order(7)
    assert table.timeline.tolist() == [7, 17, 27]
    assert not table.exact


def test_hidden_packets_are_no_part_of_the_timeline() -> None:
    table = table_of(FakePacket(-10, -10, keyframe=True, discard=True), FakePacket(0, 0), FakePacket(10, 10))
    assert table.timeline.tolist() == [0, 10]
    assert (table.start, table.length(1)) == (0, 20)
    assert table.entry(2) == 0


def test_missing_and_repeated_timestamps_make_a_table_inexact() -> None:
    assert not table_of(FakePacket(0, 0), FakePacket(None, 10)).exact
    assert not table_of(FakePacket(0, 0), FakePacket(0, 1)).exact
    assert table_of(FakePacket(None, None), FakePacket(None, None)).timeline.tolist() == [0, 10]

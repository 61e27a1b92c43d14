"""Damage that decoders pass over in silence is flagged where anything tells of it, and whole files never are."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from segfeat.decode import open_video
from segfeat.decode.checksums import broken_checksums
from segfeat.decode.strict import strict_codec
from tests.media import Picture, Sound, make_video
from tests.segfeat.decode.cases import CASES

SEGMENT, CLUSTER, TAGS = b"\x18\x53\x80\x67", b"\x1f\x43\xb6\x75", b"\x12\x54\xc3\x67"


def read_all(path: Path) -> list[str]:
    """The problems after every picture has been read."""
    reader = open_video(path)
    list(reader.frames(np.arange(0.0, reader.info.duration_s, 0.04), 32))
    return reader.problems


def flipped(path: Path, at: int, bit: int = 3) -> Path:
    """A copy of a file with one bit flipped."""
    data = bytearray(path.read_bytes())
    data[at] ^= 1 << bit
    copy = path.with_name(f"flipped-{at}-{path.name}")
    copy.write_bytes(data)
    return copy


def packet_places(path: Path) -> list[tuple[int, int]]:
    """Where the pictures' packets lie: (first byte, bytes)."""
    with av.open(str(path)) as container:
        return [(p.pos or 0, p.size) for p in container.demux(container.streams.video[0]) if p.size]


# -- checksums of containers -------------------------------------------------------------------------------------------


def element(identity: bytes, content: bytes, checked: bool = False) -> bytes:
    if checked:
        content = b"\xbf\x84" + zlib.crc32(content).to_bytes(4, "little") + content
    return identity + b"\x01" + len(content).to_bytes(7, "big") + content


def test_checksums_by_hand(tmp_path: Path) -> None:
    clusters = [element(CLUSTER, bytes([n]) * 300, checked=n != 1) for n in range(3)]
    head = element(b"\x1a\x45\xdf\xa3", b"matroska")
    path = tmp_path / "a.mkv"

    def broken(*parts: bytes) -> int:
        path.write_bytes(b"".join(parts))
        return broken_checksums(path)

    whole = element(SEGMENT, b"".join(clusters))
    assert broken(head, whole) == 0
    assert broken(head, SEGMENT, b"\x01\xff\xff\xff\xff\xff\xff\xff", *clusters) == 0  # a live stream: the size is open
    worse = [bytearray(cluster) for cluster in clusters]
    for cluster in worse:
        cluster[200] ^= 1
    assert broken(head, element(SEGMENT, b"".join(worse))) == 2  # the one in the middle has no checksum
    assert broken(head, whole[:-1]) == 1  # cut off
    assert broken(head, element(SEGMENT, element(TAGS, b"\xbf\x84\0\0\0\0 words"))) == 0  # holds no packets
    for junk in (b"", b"\x00", b"\x1f", CLUSTER, CLUSTER + b"\x00", CLUSTER + b"\x08\xff", bytes(range(255, 0, -1))):
        assert broken(junk) == 0


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_any_flipped_bit_of_a_packet_in_matroska_is_flagged(codec: str, tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mkv", [Picture(count=30, codec=codec)])
    assert not read_all(path)
    for at, size in packet_places(path)[::7]:
        assert any("checksums" in line for line in open_video(flipped(path, at + size // 2)).problems)


# -- decoders that know more than they say -----------------------------------------------------------------------------


def test_most_flipped_bits_of_vp9_are_flagged_and_the_pictures_kept(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.webm", [Picture(codec="libvpx-vp9", size=(256, 192))])
    assert not read_all(path)
    places = packet_places(path)[1:60:6]
    flagged = [read_all(flipped(path, at + size // 2)) for at, size in places]
    assert sum(map(bool, flagged)) >= 0.7 * len(places)
    reader = open_video(flipped(path, places[0][0] + places[0][1] // 2))
    assert None not in list(reader.frames(np.arange(0.0, 3.0, 0.04), 32))  # not all lost up to the next keyframe


@pytest.mark.parametrize("name", ["vp9.webm", "odd.webm", "hevc.mp4"])
def test_the_decoder_that_notices_most(name: str, media_file: Callable[[str], Path]) -> None:
    with av.open(str(media_file(name))) as container:
        stream = container.streams.video[0]
        codec = strict_codec(stream)
        assert codec.name == ("libvpx-vp9" if name.endswith("webm") else "hevc")
        assert codec.thread_count == 1 or codec is stream.codec_context


def test_a_reference_that_hevc_makes_up_is_flagged(tmp_path: Path) -> None:
    def lose_one(index: int, packet: Any) -> bool:
        return index != 10

    path = make_video(tmp_path / "a.mp4", [Picture(codec="libx265", count=50, gop=50)], change_packet=lose_one)
    assert any("Could not find ref" in line for line in read_all(path))


# -- headers -----------------------------------------------------------------------------------------------------------


def test_an_avi_file_with_a_lost_stretch_is_flagged(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.avi", [Picture(codec="mpeg4")], [Sound(codec="pcm_s16le")])
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[len(data) // 2 + 50 :])
    assert any("50 bytes are missing" in line for line in open_video(path).problems)
    path.write_bytes(data[:4] + bytes(4) + data[8:])  # as a recorder leaves it that was cut off
    assert not open_video(path).problems


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.picture])
def test_whole_files_are_read_on_the_quick_way(
    name: str, media_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that the stricter decoding hears sends a whole file to the plain pass."""
    reader = open_video(media_file(name))
    if reader.table.exact and name != "intra_refresh.mp4":  # type: ignore[attr-defined]  # its entries are no clean cuts
        monkeypatch.setattr("segfeat.decode.pyav.plain_pass", None)
    assert None not in list(reader.frames(np.arange(0.0, reader.info.duration_s, 0.3), 32))
    assert not reader.problems

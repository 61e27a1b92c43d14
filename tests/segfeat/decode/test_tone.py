"""High dynamic range: a scene that was graded in standard range, carried in PQ or HLG, comes back as it was."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc

from segfeat.decode import DecodeError, open_video
from segfeat.decode.tone import pq_code, pq_light

FROM_709 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
"""Linear light of BT.709 primaries to those of BT.2020 (ITU-R BT.2087)."""

GREYS = [0, 40, 80, 120, 160, 185]
COLOURS = [(180, 60, 40), (40, 150, 60), (50, 70, 180), (170, 160, 60), (150, 60, 150), (60, 150, 160)]


def scene(white: int = 185) -> np.ndarray:
    """Patches of 32 x 32 in BT.709 code values (64, 192, 3): greys above, colours below."""
    greys = [(g, g, g) for g in [*GREYS[:-1], white]]
    return np.repeat(np.repeat(np.array([greys, COLOURS], float), 32, axis=0), 32, axis=1)


def light_of(image: np.ndarray) -> np.ndarray:
    """Light in cd/m², in BT.2020 primaries, of a picture whose white is reference white (ITU-R BT.2408)."""
    light: np.ndarray = 203.0 * (image / 255) ** 2.4 @ FROM_709.T
    return light


def hlg_code(light_cd: np.ndarray) -> np.ndarray:
    """HLG code values of light on a display of 1,000 cd/m² (ITU-R BT.2100)."""
    luma = np.maximum(light_cd @ [0.2627, 0.6780, 0.0593], 1e-9)[..., None]
    shown = light_cd / 1000 * (luma / 1000) ** (1 / 1.2 - 1)
    bright = 0.17883277 * np.log(np.maximum(12 * shown - 0.28466892, 1e-9)) + 0.55991073
    code: np.ndarray = np.where(shown <= 1 / 12, np.sqrt(3 * shown), bright)
    return code


def make_hdr(path: Path, code: np.ndarray, trc: ColorTrc, count: int = 25) -> Path:
    """A 10-bit HEVC file of one picture, given by its code values in [0, 1]."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "x265-params": "lossless=1:log-level=none:pools=none:frame-threads=1"}
        stream = container.add_stream("libx265", rate=25, options=options)
        stream.height, stream.width = code.shape[:2]
        stream.pix_fmt = "yuv420p10le"
        context = stream.codec_context
        context.color_trc, context.color_primaries, context.colorspace = int(trc), int(ColorPrimaries.BT2020), 9
        context.color_range = 1
        pixels = np.round(np.clip(code, 0, 1) * 65535).astype(np.uint16)
        for number in range(count):
            frame = av.VideoFrame.from_ndarray(pixels, "rgb48le")
            frame = frame.reformat(format="yuv420p10le", dst_colorspace=9, dst_color_range=1)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def patches(image: np.ndarray) -> np.ndarray:
    """The mean of the middle of every patch (2, 6, 3)."""
    blocks = image.reshape(2, 32, 6, 32, 3)[:, 8:24, :, 8:24].astype(float)
    mean: np.ndarray = blocks.mean(axis=(1, 3))
    return mean


@pytest.mark.parametrize("trc", [ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_a_scene_of_standard_range_comes_back_as_it_was(tmp_path: Path, trc: ColorTrc, name: str) -> None:
    light = light_of(scene())
    code = pq_code(light) if trc == ColorTrc.SMPTE2084 else hlg_code(light)
    reader = open_video(make_hdr(tmp_path / name, code, trc))
    [frame] = reader.frames([0.5])
    assert frame is not None
    assert np.abs(patches(frame.image) - patches(scene())).max() < 4
    [small] = reader.frames([0.5], 32)
    assert small is not None
    assert small.image.shape == (32, 96, 3)
    assert abs(small.image.mean() - frame.image.mean()) < 2


def test_highlights_are_rolled_off_and_keep_their_order_and_hue() -> None:
    from segfeat.decode.tone import to_standard_range

    greys = np.array([50, 95, 150, 203, 300, 500, 800, 1000, 4000, 10000.0])
    codes = np.round(pq_code(np.repeat(greys[None, :, None], 3, axis=2)) * 65535).astype(np.uint16)
    shown = to_standard_range(codes, int(ColorTrc.SMPTE2084), int(ColorPrimaries.BT2020))[0, :, 0].astype(int)
    plain = 255 * (greys / 203) ** (1 / 2.4)
    assert np.abs(shown[:2] - plain[:2]).max() <= 2
    assert (np.diff(shown[:7]) > 0).all()
    assert shown[3] > 200  # white stays white
    assert shown[7:].tolist() == [255] * 3
    red = np.round(pq_code(light_of(np.array([[[250.0, 40, 30]]])) * 4) * 65535).astype(np.uint16)
    r, g, b = to_standard_range(red, int(ColorTrc.SMPTE2084), int(ColorPrimaries.BT2020))[0, 0].astype(int)
    assert r > 230
    assert max(g, b) < 90


def test_pq_is_that_of_the_standard() -> None:
    """SMPTE ST 2084: 100 cd/m² has the code 0.5081, 1,000 the code 0.7518."""
    np.testing.assert_allclose(
        pq_code(np.array([0.0, 100.0, 203.0, 1000.0, 10000.0])), [0, 0.5081, 0.5807, 0.7518, 1], atol=1e-4
    )
    np.testing.assert_allclose(pq_light(pq_code(np.array([1.0, 50.0, 4000.0]))), [1.0, 50.0, 4000.0], rtol=1e-9)


def test_ten_bits_alone_are_no_high_dynamic_range(tmp_path: Path) -> None:
    reader = open_video(make_hdr(tmp_path / "a.mp4", scene() / 255, ColorTrc.BT709))
    assert not reader.display.hdr  # type: ignore[attr-defined]


def test_decord_refuses_it(tmp_path: Path) -> None:
    path = make_hdr(tmp_path / "a.mp4", pq_code(light_of(scene())), ColorTrc.SMPTE2084)
    with pytest.raises(DecodeError, match="high dynamic range are not mapped") as error:
        open_video(path, "decord")
    assert error.value.code == "decoder_refused"

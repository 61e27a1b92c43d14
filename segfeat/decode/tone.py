"""Pictures of high dynamic range as those of standard range that encoders were trained on.

PQ (SMPTE ST 2084) and HLG (ARIB STD-B67) are decoded to light on a display of 1,000 cd/m². Reference white (ITU-R
BT.2408: 203 cd/m²) becomes the white of BT.709; what is brighter is rolled off with the curve of ITU-R BT.2390, and
what is darker than about 95 cd/m² stays as it is. The hue stays, too: all three channels are scaled alike.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from av.video.reformatter import ColorPrimaries, ColorTrc

from segfeat.types import Float32, Float64, UInt8

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

WHITE_CD, PEAK_CD = 203.0, 1000.0
"""Reference white, and the brightest that the display shows, in cd/m²."""

_ROWS = 128
"""Rows mapped at a time, as the numbers in between take ten times the memory of the pixels."""

_PQ_CD = 10_000.0
_M1, _M2 = 2610 / 16384, 2523 / 32
_C1, _C2, _C3 = 3424 / 4096, 2413 / 128, 2392 / 128

_HLG_A, _HLG_B, _HLG_C, _HLG_GAMMA = 0.17883277, 0.28466892, 0.55991073, 1.2
_LUMA_2020 = np.array([0.2627, 0.6780, 0.0593], np.float32)

_TO_709 = {
    int(ColorPrimaries.BT2020): np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32
    ),
    int(ColorPrimaries.SMPTE432): np.array(
        [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]], np.float32
    ),
}
"""Linear light of wider primaries to that of BT.709."""

_DISPLAY_GAMMA = 2.4
"""Of ITU-R BT.1886, by which pictures in BT.709 are shown."""


def is_hdr(frame: VideoFrame) -> bool:
    """Whether a decoded picture has a high dynamic range by its own word."""
    return int(frame.color_trc) in (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)


def to_standard_range(pixels: np.ndarray, trc: int, primaries: int) -> UInt8:
    """Pixels (H, W, 3) of 16 bits a sample, in PQ or HLG, as eight bits of BT.709."""
    shown = np.empty(pixels.shape, np.uint8)
    for row in range(0, len(pixels), _ROWS):
        shown[row : row + _ROWS] = _mapped(pixels[row : row + _ROWS], trc, primaries)
    return shown


def _mapped(pixels: np.ndarray, trc: int, primaries: int) -> UInt8:
    light: Float32 = np.take(_light_of_code(trc), pixels)
    if trc == ColorTrc.ARIB_STD_B67:
        luma = np.maximum(light @ _LUMA_2020, 1e-6)[..., None]
        light = PEAK_CD * luma ** (_HLG_GAMMA - 1) * light
    brightest = light.max(axis=-1, keepdims=True)
    grid, factors = _roll_off()
    light = light * np.interp(brightest, grid, factors).astype(np.float32) / WHITE_CD
    if primaries in _TO_709:
        light = light @ _TO_709[primaries].T
    shown = np.clip(light, 0.0, 1.0) ** np.float32(1 / _DISPLAY_GAMMA)
    return np.asarray(np.round(shown * 255), np.uint8)


@lru_cache(maxsize=2)
def _light_of_code(trc: int) -> Float32:
    """Light of every code of 16 bits: cd/m² for PQ, a share of the scene's brightest for HLG."""
    code = np.arange(65536) / 65535
    if trc == ColorTrc.SMPTE2084:
        return pq_light(code).astype(np.float32)
    bright = (np.exp((code - _HLG_C) / _HLG_A) + _HLG_B) / 12
    return np.where(code <= 0.5, code**2 / 3, bright).astype(np.float32)


def pq_light(code: Float64) -> Float64:
    """Light in cd/m² of PQ code values in [0, 1]."""
    root = code ** (1 / _M2)
    light: Float64 = _PQ_CD * (np.maximum(root - _C1, 0) / (_C2 - _C3 * root)) ** (1 / _M1)
    return light


def pq_code(light_cd: Float64) -> Float64:
    """PQ code values in [0, 1] of light."""
    power = (light_cd / _PQ_CD) ** _M1
    code: Float64 = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return code


@lru_cache(maxsize=1)
def _roll_off() -> tuple[Float64, Float64]:
    """Light in cd/m², and what it is multiplied with so that the peak becomes white (ITU-R BT.2390, section 5.4.1)."""
    light = np.concatenate([np.linspace(0.01, WHITE_CD, 500), np.linspace(WHITE_CD, _PQ_CD, 2000)])
    peak = float(pq_code(np.array(PEAK_CD)))
    code, target = np.minimum(pq_code(light) / peak, 1.0), float(pq_code(np.array(WHITE_CD))) / peak
    knee = 1.5 * target - 0.5
    t = np.maximum(code - knee, 0) / (1 - knee)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee) + (-2 * t**3 + 3 * t**2) * target
    return light, pq_light(np.where(code < knee, code, spline) * peak) / light

"""Resizing and cropping as open_clip does it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import open_clip
import pytest
from PIL import Image

from segfeat.encoders.preparers import RESAMPLING, RESIZE_MODES, PicturePreparer

SIZES = [(224, 398), (398, 224), (64, 64), (33, 47), (31, 200), (500, 37), (3, 5)]


@pytest.mark.parametrize("mode", RESIZE_MODES)
@pytest.mark.parametrize("resampling", RESAMPLING)
@pytest.mark.parametrize("target", [(64, 64), (48, 80), (57, 33)])
def test_every_way_of_fitting_is_the_librarys(
    mode: str, resampling: str, target: tuple[int, int], pictures: Callable[..., np.ndarray]
) -> None:
    # Mean 0 and deviation 1/255 turn the library's result back into pixel values.
    config = open_clip.transform.PreprocessCfg(
        size=target, mean=(0.0,) * 3, std=(1 / 255,) * 3, interpolation=resampling, resize_mode=mode, fill_color=7
    )
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    preparer = PicturePreparer(*target, resampling, mode, fill=7 if mode == "longest" else 0)
    for size in SIZES:
        frame = pictures(1, *size)[0]
        expected = transform(Image.fromarray(frame)).permute(1, 2, 0).numpy().round().astype(np.uint8)
        if expected.shape[:2] != target:
            continue
        np.testing.assert_array_equal(preparer.fit(frame), expected, err_msg=f"{size}")


@pytest.mark.parametrize("field", [{"resampling": "nearest"}, {"resize_mode": "crop"}])
def test_unknown_ways_are_errors(field: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="valid are"):
        PicturePreparer(8, 8, **field)

"""The nouns: what they refuse, and how specs and headers name their differences."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from segfeat.attribute import Attribute, Users
from segfeat.types import EncoderSpec, StoreHeader, VideoFeatures

SPEC = EncoderSpec("open_clip:ViT-B-32@x", "visual", 512, "ViT-B-32", "x sha256:00", "mean over frames")


def test_spec_refuses_an_unknown_modality_and_names_the_valid_ones() -> None:
    with pytest.raises(ValueError, match=r"'smell'.*visual, audio, text"):
        EncoderSpec("a", "smell", 3, "m", "w", "p")


def test_spec_refuses_zero_dimensions() -> None:
    with pytest.raises(ValueError, match="must be positive"):
        replace(SPEC, dim=0)


def test_equal_specs_have_no_differences_and_unequal_ones_name_each_field() -> None:
    assert SPEC.differences(replace(SPEC)) == []
    assert SPEC.differences(replace(SPEC, dim=3, pooling="max")) == [
        "dim: 512 against 3",
        "pooling: 'mean over frames' against 'max'",
    ]


def test_spec_survives_its_attributes() -> None:
    assert EncoderSpec(**SPEC.attributes()) == SPEC


def test_header_differences_name_every_setting() -> None:
    ours = StoreHeader(5.0, {"frames_per_segment": 1, "id": "stem"}, {"visual": SPEC})
    other = StoreHeader(
        2.5, {"frames_per_segment": 2, "id": "stem", "seed": 0}, {"visual": replace(SPEC, weights="y"), "audio": SPEC}
    )
    assert ours.differences(ours) == []
    assert ours.differences(other) == [
        "segment_s: 5 against 2.5",
        "frames_per_segment: 1 against 2",
        "seed: None against 0",
        "visual encoder weights: 'x sha256:00' against 'y'",
        f"audio encoder: none against {SPEC.name}",
    ]


def test_features_are_reached_by_name_and_absent_ones_are_an_error() -> None:
    values = np.ones((1, 2), np.float16)
    video = VideoFeatures("a", 3.0, np.array([[0.0, 3.0]]), {"visual": values}, {"visual": np.array([True])})
    assert video.visual is values
    with pytest.raises(KeyError):
        _ = video.audio


# -- attributes --------------------------------------------------------------------------------------------------------

ROWS = st.lists(st.lists(st.sampled_from(["a", "b", "c", "ü|"]), max_size=3, unique=True), max_size=6)


def test_attributes_by_hand() -> None:
    tags = Attribute.of([["food"], [], ["food", "dance", "food"]])
    assert tags.names.tolist() == ["food", "dance"]
    assert tags.offset.tolist() == [0, 1, 1, 3]
    assert tags.codes.tolist() == [0, 0, 1]
    assert (tags.offset.dtype, tags.codes.dtype) == (np.int64, np.int32)
    assert (tags[0], tags[1], tags[2]) == (("food",), (), ("food", "dance"))
    assert (len(tags), tags.known, tags.single) == (3, 2, False)
    assert repr(tags) == "<Attribute: 2 categories of 3, 2 of them known>"
    assert Attribute.of([["x"], []]).single
    with pytest.raises(IndexError):
        tags[3]


@given(ROWS, st.lists(st.integers(-2, 5), max_size=8))
def test_taking_rows(rows: list[list[str]], wanted: list[int]) -> None:
    wanted = [w for w in wanted if w < len(rows)]
    taken = Attribute.of(rows).take(np.array(wanted, dtype=np.int64))
    assert [taken[i] for i in range(len(taken))] == [tuple(rows[w]) if w >= 0 else () for w in wanted]


@given(st.lists(ROWS, max_size=4))
def test_joined_parts_are_the_attribute_made_at_once(parts: list[list[list[str]]]) -> None:
    joined = Attribute.joined([Attribute.of(rows) for rows in parts])
    whole = Attribute.of([row for rows in parts for row in rows])
    for name in ("names", "offset", "codes"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole, name))
        assert getattr(joined, name).dtype == getattr(whole, name).dtype


@pytest.mark.parametrize(
    ("offset", "codes", "message"),
    [([0, 2], [0], "offsets must ascend from 0 to 1"), ([0, 1], [2], "codes reach 2, but there are 1 names")],
)
def test_attributes_that_contradict_themselves_are_refused(offset: list[int], codes: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Attribute(np.array(["a"], dtype=object), np.array(offset), np.array(codes, np.int32))


def users(*rows: tuple[str, str], name: str = "city") -> Users:
    return Users(np.array([r[0] for r in rows], dtype=object), {name: Attribute.of([r[1]] for r in rows)})


def test_of_a_user_whom_both_tables_know_the_first_one_counts() -> None:
    both = users(("1", "Ulm"), ("2", "Bonn")).joined(users(("2", "Kiel"), ("3", "Ulm")))
    assert both.ids.tolist() == ["1", "2", "3"]
    assert [both.attributes["city"][i] for i in range(3)] == [("Ulm",), ("Bonn",), ("Ulm",)]
    other = users(("1", "Ulm")).joined(users(("4", "old"), name="age"))
    assert [other.attributes["city"][i] for i in range(2)] == [("Ulm",), ()]
    assert [other.attributes["age"][i] for i in range(2)] == [(), ("old",)]
    assert repr(other) == "<Users: 2; city, age>"


def test_a_user_twice_or_attributes_of_other_users_are_refused() -> None:
    with pytest.raises(ValueError, match="a second time"):
        users(("1", "Ulm"), ("1", "Bonn"))
    with pytest.raises(ValueError, match="city has 1 rows for 2 users"):
        Users(np.array(["1", "2"], dtype=object), {"city": Attribute.of([["Ulm"]])})


def test_a_video_shows_itself_in_one_line() -> None:
    values = np.zeros((1, 3), np.float16)
    video = VideoFeatures("a", 3.0, np.array([[0.0, 3.0]]), {"visual": values}, {"visual": np.array([True])})
    assert repr(video) == "<VideoFeatures 'a': 3.00 s, 1 segments; visual 3-d>"

"""Vocabularies: only ids that occur, zero for all others, whatever table they come from."""

from __future__ import annotations

import numpy as np

from segmodel.data.vocabulary import Vocabulary


def test_only_ids_that_occur_have_a_code() -> None:
    table = np.array(["a", "b", "c", "d"], object)
    words = Vocabulary.of(table, np.array([2, 0, 2]))
    assert words.ids == ("a", "c")
    assert len(words) == 3
    assert words.codes(["c", "b", "a", "", "c"]).tolist() == [2, 0, 1, 0, 2]
    assert words.codes([]).tolist() == []
    assert Vocabulary.of(table, np.zeros(0, int)) == Vocabulary(())
    assert len(Vocabulary(())) == 1


def test_codes_follow_the_table_that_is_asked_for() -> None:
    """The remembered table must never answer for another one."""
    words = Vocabulary(("a", "c"))
    first, second = np.array(["a", "b", "c"], object), np.array(["c", "a"], object)
    for _ in range(2):
        assert words.table_codes(first).tolist() == [1, 0, 2]
        assert words.table_codes(second).tolist() == [2, 1]
    assert words.table_codes(first.copy()).tolist() == [1, 0, 2]
    assert words == Vocabulary(("a", "c"))

"""Traits: what categories say of videos, users and views, coded for a model."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from segfeat.attribute import Attribute
from segfeat.store.reader import FeatureStore
from segfeat.types import Bool
from segmodel.data.dataset import Dataset
from segmodel.data.views import Rows, Views, ragged
from segmodel.data.vocabulary import Vocabulary

VIDEO, USER, CONTEXT = KINDS = ("video", "user", "context")
"""Attributes of videos and of users, which a store holds, and columns of the log about its views."""


def trait_kinds(config: Any) -> tuple[str, ...]:
    """Kinds that a model's settings of these names let it read."""
    wanted = {VIDEO: config.video_attributes, USER: config.user_attributes, CONTEXT: config.context_columns}
    return tuple(kind for kind in KINDS if wanted[kind])


@dataclass(frozen=True, eq=False)
class Traits:
    """Which categorical columns there are, and the categories that a model met in each.

    Attributes
    ----------
    names : kind -> name -> Vocabulary
        Kinds without a column are left out.
    """

    names: Mapping[str, Mapping[str, Vocabulary]] = field(default_factory=dict)
    _user_rows: WeakKeyDictionary[FeatureStore, Vocabulary] = field(default_factory=WeakKeyDictionary, repr=False)

    @classmethod
    def of(cls, data: Dataset, kinds: Collection[str] = KINDS) -> Traits:
        """Those of some kinds that the views of a dataset have, with the categories that occur among them."""
        store, views = data.store, data.views
        there: dict[str, Any] = {CONTEXT: views.context}
        if store is not None:
            there |= {VIDEO: store.video_attributes, USER: store.user_attributes}
        all_of = cls()
        found: dict[str, dict[str, Vocabulary]] = {}
        for kind in KINDS:
            for name, column in sorted(there.get(kind, {}).items()) if kind in kinds else ():
                code = all_of._categories(kind, name, views, store)[1]
                if len(code):
                    found.setdefault(kind, {})[name] = Vocabulary.of(column.names, code)
        return cls(found)

    def renewed(self, data: Dataset) -> Traits:
        """The same kinds, with the categories of other views; a kind that they lack stays and says nothing."""
        found = Traits.of(data, tuple(self.names))
        return Traits({kind: found.names.get(kind, names) for kind, names in self.names.items()})

    def joined(self, other: Traits) -> Traits:
        """Columns and categories of both, this one's first."""
        found: dict[str, dict[str, Vocabulary]] = {}
        for kind in KINDS:
            ours, theirs = (traits.names.get(kind, {}) for traits in (self, other))
            for name in sorted({*ours, *theirs}):
                ids = [v for names in (ours, theirs) if name in names for v in names[name].ids]
                found.setdefault(kind, {})[name] = Vocabulary(tuple(dict.fromkeys(ids)))
        return Traits(found)

    @classmethod
    def of_facts(cls, facts: Mapping[str, Mapping[str, list[str]]]) -> Traits:
        """The inverse of :meth:`facts`."""
        return cls({kind: {n: Vocabulary(tuple(v)) for n, v in names.items()} for kind, names in facts.items()})

    def facts(self) -> dict[str, dict[str, list[str]]]:
        """JSON-able."""
        return {kind: {n: list(v.ids) for n, v in names.items()} for kind, names in self.names.items()}

    def codes(self, kind: str, name: str, views: Views, store: FeatureStore | None) -> tuple[Rows, Rows]:
        """Owners, as rows of the views, and codes of every category that views have and the model met.

        A view may have none or several; a store or log without the column has none.
        """
        owner, category, names = self._categories(kind, name, views, store)
        code = self.names[kind][name].table_codes(names)[category] if len(category) else category
        return owner[code > 0], code[code > 0]

    def known(self, kind: str, views: Views, store: FeatureStore | None) -> Bool:
        """(V,) which views have a category of some kind that the model met."""
        found = np.zeros(len(views), dtype=bool)
        for name in self.names.get(kind, {}):
            found[self.codes(kind, name, views, store)[0]] = True
        return found

    def of_videos(self, name: str, rows: Rows, store: FeatureStore) -> tuple[Rows, Rows]:
        """The same for an attribute of videos that stand in the given rows of the store, or in none (-1)."""
        attribute = store.video_attributes[name]
        owner, category = _rows_of(attribute, rows)
        code = self.names[VIDEO][name].table_codes(attribute.names)[category]
        return owner[code > 0], code[code > 0]

    def _categories(self, kind: str, name: str, views: Views, store: FeatureStore | None) -> tuple[Rows, Rows, Any]:
        """Owner and category of all that views have, and the names that the categories point into."""
        nothing = np.zeros(0, np.int64)
        if kind == CONTEXT:
            if name not in views.context:
                return nothing, nothing, nothing
            codes, names = views.context[name]
            owner = np.flatnonzero(codes >= 0)
            return owner, codes[owner].astype(np.int64), names
        if store is None:
            return nothing, nothing, nothing
        attributes = store.video_attributes if kind == VIDEO else store.user_attributes
        if name not in attributes:
            return nothing, nothing, nothing
        rows = views.store_row.astype(np.int64) if kind == VIDEO else self._users(store, views)
        return *_rows_of(attributes[name], rows), attributes[name].names

    def _users(self, store: FeatureStore, views: Views) -> Rows:
        """Row of each view's user in the store; -1 where it does not know them."""
        if store not in self._user_rows:
            self._user_rows[store] = Vocabulary(tuple(store.users.ids.tolist()))
        rows: Rows = self._user_rows[store].table_codes(views.user_ids)[views.user] - 1
        return rows


def _rows_of(attribute: Attribute, rows: Rows) -> tuple[Rows, Rows]:
    """Index into ``rows`` and category of everything that an attribute says of them; rows of -1 have nothing."""
    here = np.maximum(rows, 0)
    first = attribute.offset[here]
    owner, k = ragged(np.where(rows >= 0, attribute.offset[here + 1] - first, 0))
    return owner, attribute.codes[first[owner] + k].astype(np.int64)

"""Categorical attributes of videos and users: author, tags, music; age group, city."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from segfeat.types import Int32, Int64, Names


@dataclass(frozen=True, eq=False)
class Attribute:
    """A categorical attribute of N videos or users, each of which has none, one or several of K categories.

    >>> tags = Attribute.of([["food"], [], ["food", "dance"]])
    >>> tags.codes, tags[2]
    (array([0, 0, 1], dtype=int32), ('food', 'dance'))

    Attributes
    ----------
    names : object (K,)
        The categories, as strings, no two alike.
    offset : int64 (N+1,)
        The categories of row i are ``codes[offset[i]:offset[i+1]]``; none where nothing is known.
    codes : int32 (C,)
        In [0, K).

    Raises
    ------
    ValueError
        If offsets do not ascend from 0 to C, or codes lie outside the names.
    """

    names: Names
    offset: Int64
    codes: Int32

    def __post_init__(self) -> None:
        ends = self.offset
        if not len(ends) or ends[0] != 0 or ends[-1] != len(self.codes) or (np.diff(ends) < 0).any():
            raise ValueError(f"attribute: offsets must ascend from 0 to {len(self.codes)}")
        if len(self.codes) and (self.codes.min() < 0 or self.codes.max() >= len(self.names)):
            raise ValueError(f"attribute: codes reach {self.codes.max()}, but there are {len(self.names)} names")

    @classmethod
    def of(cls, rows: Iterable[Sequence[str]]) -> Attribute:
        """From each row's categories; names stand in the order in which they first occur."""
        code: dict[str, int] = {}
        offset, codes = [0], []
        for categories in rows:
            codes += [code.setdefault(name, len(code)) for name in dict.fromkeys(categories)]
            offset.append(len(codes))
        return cls(np.array([*code], dtype=object), np.array(offset, np.int64), np.array(codes, np.int32))

    def __len__(self) -> int:
        return len(self.offset) - 1

    def __getitem__(self, row: int) -> tuple[str, ...]:
        if not 0 <= row < len(self):
            raise IndexError(f"row {row} of {len(self)}")
        return tuple(self.names[self.codes[self.offset[row] : self.offset[row + 1]]])

    def __repr__(self) -> str:
        return f"<Attribute: {len(self.names):,} categories of {len(self):,}, {self.known:,} of them known>"

    @property
    def known(self) -> int:
        """Rows that have a category."""
        return int((np.diff(self.offset) > 0).sum())

    @property
    def single(self) -> bool:
        """Whether no row has more than one category."""
        return bool((np.diff(self.offset) <= 1).all())

    def take(self, rows: npt.NDArray[Any]) -> Attribute:
        """The given rows (R,), in any order, over the same names; a negative row has no category."""
        rows = np.maximum(rows, -1)
        sizes = np.append(np.diff(self.offset), 0)[rows]  # row -1 is the appended one
        offset = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        first = np.append(self.offset[:-1], 0)[rows]
        return Attribute(self.names, offset, self.codes[np.repeat(first - offset[:-1], sizes) + np.arange(offset[-1])])

    @classmethod
    def joined(cls, parts: Sequence[Attribute]) -> Attribute:
        """All rows of the parts one after another; names that no row has are left out, as in `of`."""
        code: dict[str, int] = {}
        codes = [np.zeros(0, np.int32)]
        for part in parts:
            used, first = np.unique(part.codes, return_index=True)
            table = np.zeros(len(part.names), np.int32)
            for k in used[np.argsort(first)].tolist():
                table[k] = code.setdefault(part.names[k], len(code))
            codes.append(table[part.codes])
        sizes = np.concatenate([np.zeros(1, np.int64), *(np.diff(p.offset) for p in parts)])
        return cls(np.array([*code], dtype=object), np.cumsum(sizes), np.concatenate(codes))


@dataclass(frozen=True, eq=False)
class Users:
    """What is known about users besides their views.

    Attributes
    ----------
    ids : object (U,)
        Strings, each once; a table of its own, not the watch log's.
    attributes : mapping of name to Attribute
        Each of U rows.
    """

    ids: Names = field(default_factory=lambda: np.zeros(0, dtype=object))
    attributes: Mapping[str, Attribute] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(set(self.ids.tolist())) != len(self.ids):
            raise ValueError("users: an id stands there a second time")
        for name, attribute in self.attributes.items():
            if len(attribute) != len(self.ids):
                raise ValueError(f"users: attribute {name} has {len(attribute)} rows for {len(self.ids)} users")

    def __len__(self) -> int:
        return len(self.ids)

    def __repr__(self) -> str:
        return f"<Users: {len(self):,}; {', '.join(self.attributes) or 'no attributes'}>"

    def joined(self, other: Users) -> Users:
        """The users of both; of a user whom both know, this one's attributes stay."""
        mine = set(self.ids.tolist())
        new = np.array([i for i, v in enumerate(other.ids.tolist()) if v not in mine], dtype=np.int64)
        nothing = {len(n): Attribute.of([()] * len(n)) for n in (self.ids, new)}
        return Users(
            np.concatenate([self.ids, other.ids[new]]),
            {
                name: Attribute.joined(
                    [
                        self.attributes.get(name, nothing[len(self.ids)]),
                        other.attributes[name].take(new) if name in other.attributes else nothing[len(new)],
                    ]
                )
                for name in dict.fromkeys([*self.attributes, *other.attributes])
            },
        )

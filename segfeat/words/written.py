"""What somebody wrote: the title in the metadata, and subtitles beside a video or inside it."""

from __future__ import annotations

from collections.abc import Iterator

from segfeat.decode import Cue
from segfeat.decode.subtitles import read_sidecar
from segfeat.types import Line
from segfeat.words.base import Material, Options


class Title:
    """The title, in every segment."""

    kind, hears = "title", False

    def __init__(self, name: str, model: str, options: Options) -> None:
        self.name = self.description = name

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """See `WordSource.read`."""
        for start_s, end_s in material.spans_s.tolist():
            yield (Line(start_s, end_s, material.title),) if material.title else ()


class Subtitles:
    """The first of a video's subtitle files that has words, else the track inside it."""

    kind, hears = "subtitles", False

    def __init__(self, name: str, model: str, options: Options) -> None:
        self.encoding = options.subtitle_encoding
        self.name = name
        self.description = name if self.encoding == "auto" else f"{name} in {self.encoding}"

    def read(self, material: Material) -> Iterator[tuple[Line, ...]]:
        """See `WordSource.read`; a line that reaches over several segments stands in each, once."""
        cues = self._cues(material)
        for start_s, end_s in material.spans_s.tolist():
            inside = [cue for cue in cues if cue.start_s < end_s and cue.end_s > start_s]
            first = {cue.text: cue for cue in reversed(inside)}
            yield tuple(Line(c.start_s, c.end_s, c.text) for c in inside if first[c.text] is c)

    def _cues(self, material: Material) -> list[Cue]:
        for path in material.side_files:
            try:
                if cues := read_sidecar(path, self.encoding):
                    return cues
            except OSError as error:
                material.note(f"subtitles {path.name} cannot be read: {error.strerror}")
            except ValueError as error:
                material.note(f"subtitles {path.name} are left out: {error}")
        return material.reader.cues() if material.reader.info.has_subtitles else []

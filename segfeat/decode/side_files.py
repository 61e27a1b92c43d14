"""Which subtitle files beside videos belong to which of them, by the names that downloaders and transcribers write."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

SUFFIXES = (".srt", ".vtt")
"""Of subtitle files, the better known first."""

_LANGUAGE_NAMES = (
    # ISO 639-1
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo "
    "es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka "
    "kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng "
    "nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su "
    "sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu iw in "
    # ISO 639-2 and what else is written for the larger languages
    "eng deu ger fra fre spa ita por rus zho chi chs cht sc tc jpn kor ara hin ben urd tur pol ces cze slk slo nld dut "
    "swe nor nob dan fin ell gre heb hun ron rum ukr vie tha ind msa may fil yue cmn tam tel fas per bul hrv srp slv "
    "english chinese german french spanish italian portuguese russian japanese korean arabic hindi"
)
_LANGUAGES = frozenset(_LANGUAGE_NAMES.split())
_KINDS = frozenset(("forced", "foreign", "sdh", "cc", "hi", "default", "full", "orig", "original", "auto"))
"""What may stand in a name besides, or instead of, a language."""

_REGION = re.compile(r"[a-z]{2,3}|[a-z]{4}|[0-9]{3}")
_SEPARATOR = re.compile(r"[._\-\s]")


def side_files(names: Iterable[str], videos: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The subtitle files of the videos of one folder, in time that grows with the folder and not with its square.

    ``clip.srt``, ``clip.mp4.srt``, ``clip.en.srt``, ``clip_en.srt``, ``clip.zh-Hans-en.vtt`` and
    ``clip.en-<id of the track>.vtt`` are files of ``clip.mp4``, unless another video has a longer part of the name.

    Parameters
    ----------
    names : iterable of str
        All files of the folder.
    videos : iterable of str
        Those of them that are videos.

    Returns
    -------
    dict of video to tuple of names
        Best first: full before forced ones, then those without a language, .srt before .vtt. Videos without subtitle
        files are absent.
    """
    owners: dict[str, set[str]] = {}
    for video in videos:
        for key in (video.lower(), os.path.splitext(video.lower())[0]):
            owners.setdefault(key, set()).add(video)
    found: dict[str, list[tuple[tuple[bool, bool, int, str], str]]] = {}
    for name in names:
        stem, suffix = os.path.splitext(name.lower())
        if suffix not in SUFFIXES:
            continue
        for cut in [len(stem), *sorted((m.start() for m in _SEPARATOR.finditer(stem)), reverse=True)]:
            if stem[:cut] in owners and (tags := _tags(stem[cut:])) is not None:
                rank = (not {"forced", "foreign"}.isdisjoint(tags), bool(tags), SUFFIXES.index(suffix), stem)
                for video in owners[stem[:cut]]:
                    found.setdefault(video, []).append((rank, name))
                break
    return {video: tuple(name for _, name in sorted(ranked)) for video, ranked in found.items()}


def _tags(text: str) -> list[str] | None:
    """The tags in what follows a video's name; empty where nothing does, None where it is something else."""
    if not text:
        return []
    separator, rest = text[0], text[1:]
    tags: list[str] = []
    for part in rest.split(".") if separator == "." else [rest]:
        language, _, more = part.replace("_", "-").partition("-")
        if language not in _LANGUAGES | _KINDS:
            return None
        # A region or script after the language; behind a dot also the name of a track, which may be anything.
        if separator != "." and more and not all(_REGION.fullmatch(piece) for piece in more.split("-")):
            return None
        tags += [language, *more.split("-")] if more else [language]
    return tags

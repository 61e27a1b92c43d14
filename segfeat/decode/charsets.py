"""In which encoding words were written when nobody says: the likeliest one, or none where two are about as likely.

A byte string is scored under every language that may have been written so: each character costs the logarithm of its
probability in a model with few tiers (the language's most frequent characters, its other ones, anything else), so that
scores of different encodings of the same bytes can be compared. General detectors read short texts wrongly: three
Chinese characters are a valid word in each of five encodings, but a rare one in four of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

MARGIN = 3.0
"""Natural logarithm of the least odds at which the likeliest reading is taken: about 20 to 1."""

_PRIORS = {"cp1250": -4.0, "cp1254": -4.0, **dict.fromkeys(("koi8_r", "euc_jp", "cp1253", "cp1255", "cp1256"), -4.0)}
_PRIORS["cp874"] = -5.0

_MOST_RARE = 0.25
"""Share of characters that a language hardly knows beyond which a text is none in it."""

_MOST_CHARACTERS = 4_000
"""More say nothing new."""

_RARE, _PUNCTUATION = math.log(1e-6), math.log(0.001)
_MARKS = set("“”‘’„«»…–—¿¡。，、！？：；「」『』（）《》·・ー～ 　＂”")
_WORD = 1.5
"""What a word that is frequent in a language speaks for it, as a logarithm of odds."""

_KOREAN = "이다는에을가의고하지을도로한사기자나리서어아정그인거대시해들부일전수우것를니요있안여까라게보만세습감러"
_CHINESE = (
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里"
    "用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实"
    "今做把先很吃给什吗吧啊呢真叫让谢再见点"
)
_TRADITIONAL = str.maketrans(
    "这个们来为国说时会对着过发后里种经么学现当没动还进样开从实给吗让谢见点",
    "這個們來為國說時會對著過發後裡種經麼學現當沒動還進樣開從實給嗎讓謝見點",
)
_THAI_MARKS = frozenset("ัิีึืุู็่้๊๋์")
_KANA = {chr(c) for c in [*range(0x3041, 0x3094), *range(0x30A1, 0x30F7)]}


@dataclass(frozen=True)
class _Language:
    """A language as it was written in one encoding.

    Attributes
    ----------
    encoding : str
    frequent : frozenset of str
        Characters that make up ``share`` of all that is written.
    common : callable
        Whether a character with these bytes is one of ``size`` other ordinary ones.
    misplaced : float
        What a character in the wrong company speaks against the language: scripts of their own stand ``apart`` from
        ASCII letters, letters with accents beside them.
    words : frozenset of str
        Frequent words.
    follows : callable
        What a character behind another speaks for the language.
    """

    encoding: str
    frequent: frozenset[str]
    share: float
    common: Callable[[str, bytes], bool]
    size: int
    misplaced: float = 0.0
    apart: bool = True
    words: frozenset[str] = frozenset()
    follows: Callable[[str, str], float] = lambda before, character: 0.0

    @property
    def prior(self) -> float:
        """Logarithm of how often files in this encoding are met, against the most frequent ones."""
        return _PRIORS.get(self.encoding, 0.0)

    def score(self, text: str) -> tuple[float, bool]:
        """Logarithm of the probability of a text, and whether most of it is what this language is written with."""
        telling = "\n".join(line for line in text.splitlines() if not line.isascii())
        total, padded = self.prior, f" {telling[:_MOST_CHARACTERS]} "
        often, seldom = math.log(self.share / len(self.frequent)), math.log((1 - self.share) / self.size)
        seen = rare = 0
        for before, character, after in zip(padded, padded[1:], padded[2:], strict=False):
            if character < "\x80":
                continue
            if character in _MARKS:
                total += _PUNCTUATION
                continue
            seen += 1
            if character in self.frequent:
                total += often
            elif self.common(character, character.encode(self.encoding)):
                total += seldom
            else:
                total += _RARE
                rare += 1
            inside = (before < "\x80" and before.isalpha()) or (after < "\x80" and after.isalpha())
            total += self.misplaced * (inside is self.apart) + self.follows(before, character)
        if self.words:
            total += _WORD * sum(word in self.words for word in padded.lower().split())
        return total, rare <= _MOST_RARE * seen


def _cased(before: str, character: str) -> float:
    """Capitals begin words, or words are all capitals."""
    if character.isupper():
        return -6.0 if before.islower() else -0.3 if before.isupper() else -1.5
    return 0.0


def _thai(before: str, character: str) -> float:
    """Marks stand on consonants and other marks."""
    return -6.0 if character in _THAI_MARKS and not ("ก" <= before <= "ฮ" or before in _THAI_MARKS) else 0.0


def _lead(low: int, high: int) -> Callable[[str, bytes], bool]:
    """Two bytes of which the first lies in a range: where a national standard keeps its ordinary characters."""
    return lambda character, code: len(code) == 2 and low <= code[0] <= high


def _alphabet(encoding: str, frequent: str, others: str, follows: Callable[[str, str], float] = _cased) -> _Language:
    """A script of its own; a capital is as frequent as its letter."""
    often, rest = frozenset(frequent + frequent.upper()), frozenset(others + others.upper())
    return _Language(encoding, often, 0.75, lambda character, code: character in rest, len(rest), -3.0, follows=follows)


def _latin(encoding: str, letters: str, words: str) -> _Language:
    capitals = frozenset(letters.upper())
    listed = frozenset(words.split())
    return _Language(
        encoding,
        frozenset(letters),
        0.95,
        lambda character, code: character in capitals,
        len(capitals),
        -2.0,
        False,
        listed,
    )


_LANGUAGES = (
    _Language("gb18030", frozenset(_CHINESE), 0.5, _lead(0xB0, 0xD7), 3755),
    _Language("big5", frozenset(_CHINESE.translate(_TRADITIONAL)), 0.5, _lead(0xA4, 0xC6), 5401),
    _Language("cp932", frozenset(_KANA), 0.7, _lead(0x88, 0x98), 2965),
    _Language("euc_jp", frozenset(_KANA), 0.7, _lead(0xB0, 0xCF), 2965),
    _Language("cp949", frozenset(_KOREAN), 0.5, _lead(0xB0, 0xC8), 2350),
    _alphabet("cp1251", "оеаинтсрвл", "бгдёжзйкмпуфхцчшщъыьэюя"),
    _alphabet("cp1251", "оаинвіертс", "лбгдєжзйїкмпуфхцчшщьюяґ"),
    _alphabet("koi8_r", "оеаинтсрвл", "бгдёжзйкмпуфхцчшщъыьэюя"),
    _alphabet("cp1253", "αοιετσνηυρ", "βγδζθκλμξπςφχψωάέήίόύώ"),
    _alphabet("cp1255", "יוהלארתבמש", "גדזחטךכםןנסעףפץצק"),
    _alphabet("cp1256", "اليمونتربه", "ثجحخدذزسشصضطظعغفقكىةءئأإآ"),
    _alphabet("cp874", "านรอกเงมย่", "ขคฆจฉชซฌญฎฏฐฑฒณดตถทธบปผฝพฟภฤลวศษสหฬฮฯะัาำิีึืฺุู฿แโใไๅๆ็้๊๋์ํ๎"),
    _latin("cp1252", "éèàçêùôîûâïëœ", "le la les de des et est que je tu il elle vous nous on pas un une dans pour"),
    _latin("cp1252", "äöüß", "der die das und ist ich du nicht ein eine wir sie es den von zu mit auf für wie dem im"),
    _latin("cp1252", "áéíóúñü", "el la los las de que y no en un una es por con para lo se te me mi su yo"),
    _latin("cp1252", "ãõáéíóúâêôçà", "o a os as de que e não do da em um uma para com se eu por mas na no"),
    _latin("cp1252", "àèéìòù", "il la le di che e non un una per sono ho hai si mi ti lo ma da in"),
    _latin("cp1252", "åäöæøé", "och det att jag är inte som en ett på du har og ikke jeg er i til af med"),
    _latin("cp1250", "áčďéěíňóřšťúůýž", "je to se na v a že jsem si tak ale co ne s z do jak já ty po"),
    _latin("cp1250", "ąćęłńóśźż", "nie to się w na i z co jest że do tak jak ja ty o ale po mi"),
    _latin("cp1250", "áéíóöőúüű", "a az és nem hogy egy van ez de is meg csak mi ha itt jó"),
    _latin("cp1250", "čšžđć", "je da se u i na ne to što sam si za s ti mi ja su"),
    _latin("cp1254", "çğıöşü", "bir ve bu ne için çok ben sen de da mi o var evet ama daha"),
)


def guess_encoding(data: bytes) -> str | None:
    """The encoding of a text that has no mark of it.

    Parameters
    ----------
    data : bytes
        As long as possible; subtitles with their time lines are fine.

    Returns
    -------
    str or None
        A codec that decodes ``data`` without an error; None where it is no text, or two readings are about as likely.
    """
    for codec in ("utf-16-le", "utf-16-be"):
        if "-->" in (_decodes(data, codec) or ""):
            return codec
    if _decodes(data, "utf-8") is not None:
        return "utf-8"
    texts = {codec: _decodes(data, codec) for codec in dict.fromkeys(language.encoding for language in _LANGUAGES)}
    best: dict[str, tuple[float, bool, str]] = {}  # by what would be read: several encodings may agree on it
    for language in _LANGUAGES:
        text = texts[language.encoding]
        if text is not None:
            scored = (*language.score(text), language.encoding)
            best[text] = max(best.get(text, scored), scored)
    ranked = sorted(best.values(), reverse=True)
    if not ranked or not ranked[0][1] or (len(ranked) > 1 and ranked[0][0] - ranked[1][0] < MARGIN):
        return None
    return ranked[0][2]


def _decodes(data: bytes, codec: str) -> str | None:
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text and "\0" not in data.decode("latin-1") else text

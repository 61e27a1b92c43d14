"""Encodings of words: every language in its old encoding is read right, or refused, and never read wrongly."""

from __future__ import annotations

from pathlib import Path

import pytest

from segfeat.decode.charsets import guess_encoding
from segfeat.decode.subtitles import read_sidecar

TEXTS = {
    "gb18030": ["你好", "我觉得这个真的很好吃", "今天我们做红烧肉\n先把肉切成块", "猫咪睡着了",
                "欢迎收看本期节目，记得点赞关注"],
    "big5": ["你好", "謝謝大家的觀看", "今天我們做紅燒肉\n先把肉切成塊",
             "歡迎收看本集節目，記得按讚訂閱", "貓咪睡著了"],
    "shift_jis": ["ありがとう", "東京に行きました", "カレーライス", "今日は料理を作ります", "猫が寝ています"],
    "euc_jp": ["今日は料理を作ります", "ありがとうございました", "猫が寝ています"],
    "euc_kr": ["안녕하세요", "오늘은 김치찌개를 만들어 보겠습니다", "고양이가 자고 있어요"],
    "cp1251": ["Привет", "Спасибо за просмотр!", "Сегодня мы готовим борщ", "Кошка спит на диване",
               "ДОБРОЕ УТРО, СТРАНА"],
    "koi8_r": ["Сегодня мы готовим борщ", "Кошка спит на диване"],
    "cp1252": ["Ça va, José?", "Heute kochen wir Gemüse für die Gäste", "¡Mañana! ¿Qué pasa, señor?", "café",
               "C’est très bon",
               "Jag är inte här och det är bra", "“Don’t”, he said – really…", "Não é possível"],
    "cp1250": ["Dzień dobry, dziękuję za oglądanie", "Příliš žluťoučký kůň úpěl ďábelské ódy"],
    "cp1253": ["Καλημέρα σας, σήμερα μαγειρεύουμε"],
    "cp1254": ["Bugün sizlere çok güzel bir yemek yapıyoruz, şimdi başlıyoruz"],
    "cp1255": ["שלום לכולם, היום נבשל מרק"],
    "cp1256": ["مرحبا بكم اليوم سوف نطبخ"],
    "utf-8": ["Привет", "今天我们做红烧肉", "café", "plain"],
    "utf-16-le": ["plain words", "今天我们做红烧肉", "Привет"],
    "utf-16-be": ["plain words", "今天我们做红烧肉", "Привет"],
}  # fmt: skip


DOUBTFUL = {
    "cp1250": ["Szép napot és jó étvágyat kívánok őnekik"],
    "cp1252": ["Où est-il?", "ã", "Ä ö", "señal", "à demain", "naïve", "Müller"],
    "cp1251": ["Да", "Нет", "Ну", "Ты", "Україна", "їжа"],
    "gb18030": ["你", "我", "加油", "猫咪"],
    "big5": ["你", "我", "加油", "貓"],
    "shift_jis": ["はい", "猫", "テ"],
    "euc_kr": ["네", "뭐"],
    "cp874": ["สวัสดีครับ วันนี้เราจะทำอาหาร"],
}
"""Words too short to tell, or with letters of several languages: refusing them is right, mistaking them is not."""


def srt(words: str) -> str:
    return "".join(
        f"{n}\n00:00:0{n},000 --> 00:00:0{n + 1},000\n{line}\n\n" for n, line in enumerate(words.split("\n"))
    )


@pytest.mark.parametrize(("encoding", "words"), [(e, words) for e, texts in TEXTS.items() for words in texts])
def test_words_are_read_as_they_were_written(encoding: str, words: str) -> None:
    data = srt(words).encode(encoding)
    guess = guess_encoding(data)
    assert guess is not None
    assert data.decode(guess) == srt(words)


@pytest.mark.parametrize(("encoding", "words"), [(e, words) for e, texts in DOUBTFUL.items() for words in texts])
def test_doubtful_words_are_read_right_or_not_at_all(encoding: str, words: str) -> None:
    data = srt(words).encode(encoding)
    guess = guess_encoding(data)
    assert guess is None or data.decode(guess) == srt(words)


@pytest.mark.parametrize("data", [b"", b"plain", bytes(range(128, 256)) * 3, b"\x81\x8d\x8f\x90\x9d"])
def test_what_is_no_text_is_refused_or_plain(data: bytes) -> None:
    guess = guess_encoding(data)
    assert guess == ("utf-8" if data.isascii() else None)


def test_two_letters_that_are_a_word_in_two_languages_are_refused() -> None:
    """The bytes of Russian "yes" are those of Chinese "mud"."""
    assert "Да".encode("cp1251") == "泥".encode("gb18030")
    assert guess_encoding(srt("Да").encode("cp1251")) is None


def test_a_refused_file_says_what_to_do_and_the_encoding_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "a.srt"
    path.write_bytes(srt("Да").encode("cp1251"))
    with pytest.raises(ValueError, match="name it with --subtitle-encoding"):
        read_sidecar(path)
    assert [cue.text for cue in read_sidecar(path, "cp1251")] == ["Да"]
    assert [cue.text for cue in read_sidecar(path, "gbk")] == ["泥"]
    with pytest.raises(ValueError, match="it is not in utf-8"):
        read_sidecar(path, "utf-8")
    path.write_bytes(b"\xff\xfe" + srt("Да").encode("utf-16-le"))
    assert [cue.text for cue in read_sidecar(path, "cp1251")] == ["Да"]  # the mark knows better

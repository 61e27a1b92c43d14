"""A tiny Whisper with random weights, converted for CTranslate2, that faster-whisper loads like a real one."""

from __future__ import annotations

import itertools
from pathlib import Path


def make_checkpoint(folder: Path) -> Path:
    """Write the model and its tokenizer into a new folder: one layer, the 256 bytes as words, English and German."""
    import torch
    from ctranslate2.converters.transformers import WhisperLoader
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import WhisperConfig, WhisperForConditionalGeneration

    words = sorted(pre_tokenizers.ByteLevel.alphabet())
    control = ["endoftext", "startoftranscript", "en", "de", "translate", "transcribe", "startoflm", "startofprev",
               "nospeech", "notimestamps"]  # fmt: skip
    special = [f"<|{name}|>" for name in control] + [f"<|{i * 0.02:.2f}|>" for i in range(1501)]
    tokenizer = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in special])
    place = {name: tokenizer.token_to_id(f"<|{name}|>") for name in control}
    torch.manual_seed(1)
    config = WhisperConfig(
        vocab_size=len(words) + len(special), d_model=64, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64,
        pad_token_id=place["endoftext"], bos_token_id=place["endoftext"], eos_token_id=place["endoftext"],
        decoder_start_token_id=place["startoftranscript"], suppress_tokens=[], begin_suppress_tokens=[],
    )  # fmt: skip
    model = WhisperForConditionalGeneration(config).eval()
    spec = WhisperLoader().get_model_spec(model)
    spec.register_vocabulary([*words, *special])
    spec.config.suppress_ids = spec.config.suppress_ids_begin = []
    spec.config.lang_ids = [place["en"], place["de"]]
    spec.config.alignment_heads = list(itertools.product(range(1), range(2)))
    spec.validate()
    spec.optimize()
    folder.mkdir()
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder

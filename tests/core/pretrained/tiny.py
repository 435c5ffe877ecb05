"""Small models of every family, made from a config with random weights and saved to a folder: no network is needed."""

from __future__ import annotations

import atexit
import contextlib
import io
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch

WORDS_TEXT = (
    "the a it was he she sat on of by river money bank fish cat dog sun rises in east because tired too not cross "
    "street animal did put into grew deep steep . ,"
)
WORDS = WORDS_TEXT.split()
CORPUS = [
    "the cat sat on the bank of the river",
    "he put the money into the bank",
    "the animal did not cross the street because it was too tired",
    "the sun rises in the east, 太阳从东方升起",
] * 3
FAMILIES = ("bert", "distilbert", "roberta", "gpt2", "llama", "gpt_neox", "t5", "marian", "bart")
WRITING = ("t5", "marian", "bart")


@cache
def saved(family: str) -> Path:
    """The folder of a small model of a family, built once for all tests of a run."""
    folder = tempfile.mkdtemp(prefix="tiny-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build(family, Path(folder) / family)


def build(family: str, folder: Path, *, layers: int = 2, seed: int = 0) -> Path:
    """Save a small model of a family, with a tokenizer, to `folder`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        tokenizer, size = _tokenizer(family, folder)
        model = _model(family, size, layers, tokenizer)
    with torch.no_grad():
        for parameter in model.parameters():  # larger than at the start of training: maps that differ from even ones
            if parameter.dim() == 2:
                parameter.mul_(12.0)
    model.save_pretrained(folder)
    if tokenizer is not None:
        tokenizer.save_pretrained(folder)
    return folder


def _model(family: str, size: int, layers: int, tokenizer: Any) -> torch.nn.Module:
    import transformers as t

    shared = {"vocab_size": size, "pad_token_id": 0}
    wide = {"hidden_size": 24, "num_hidden_layers": layers, "num_attention_heads": 4, "intermediate_size": 40}
    if family == "bert":
        return t.BertModel(t.BertConfig(**shared, **wide, max_position_embeddings=600))
    if family == "roberta":
        return t.RobertaModel(t.RobertaConfig(**shared, **wide, max_position_embeddings=40))
    if family == "distilbert":
        return t.DistilBertModel(t.DistilBertConfig(**shared, dim=24, n_layers=layers, n_heads=4, hidden_dim=40))
    if family == "gpt2":
        return t.GPT2LMHeadModel(t.GPT2Config(**shared, n_embd=24, n_layer=layers, n_head=4, n_positions=64))
    if family == "llama":
        return t.LlamaForCausalLM(t.LlamaConfig(**shared, **wide, num_key_value_heads=2, max_position_embeddings=64))
    if family in ("mistral", "qwen3", "gemma2"):  # a window; queries and keys normed; scores within a cap
        config, kind = {
            "mistral": (t.MistralConfig, t.MistralModel),
            "qwen3": (t.Qwen3Config, t.Qwen3Model),
            "gemma2": (t.Gemma2Config, t.Gemma2Model),
        }[family]
        more = {"head_dim": 6, "sliding_window": 4, "attn_logit_softcapping": 0.3}
        return kind(config(**shared, **wide, num_key_value_heads=2, max_position_embeddings=64, **more))
    if family == "gpt_neox":
        part = {"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.34}}
        return t.GPTNeoXForCausalLM(t.GPTNeoXConfig(**shared, **wide, max_position_embeddings=64, **part))
    if family == "t5":
        return t.T5ForConditionalGeneration(
            t.T5Config(**shared, d_model=24, d_kv=5, d_ff=40, num_layers=layers, num_heads=4, decoder_start_token_id=0)
        )
    both = {
        "d_model": 24,
        "encoder_layers": layers,
        "decoder_layers": layers,
        "encoder_attention_heads": 4,
        "decoder_attention_heads": 4,
        "encoder_ffn_dim": 40,
        "decoder_ffn_dim": 40,
        "max_position_embeddings": 64,
        "decoder_start_token_id": 0,
        "eos_token_id": 1,
        "forced_eos_token_id": None,
    }
    if family == "marian":
        shared["pad_token_id"] = tokenizer.pad_token_id
        both |= {"decoder_start_token_id": tokenizer.pad_token_id, "eos_token_id": tokenizer.eos_token_id}
        return t.MarianMTModel(t.MarianConfig(**shared, **both, share_encoder_decoder_embeddings=True))
    assert family == "bart"
    return t.BartForConditionalGeneration(t.BartConfig(**shared, **both, bos_token_id=2))


def _tokenizer(family: str, folder: Path) -> tuple[Any, int]:
    if family == "marian":
        return _marian(folder)
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    if family in ("bert", "distilbert"):
        vocabulary = {word: n for n, word in enumerate([*special, *WORDS, "##s"])}
        found = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
        found.normalizer = normalizers.Lowercase()
        found.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        found.decoder = decoders.WordPiece()
        ends = [("[CLS]", 2), ("[SEP]", 3)]
        found.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
        named = {"cls_token": "[CLS]", "sep_token": "[SEP]", "unk_token": "[UNK]", "pad_token": "[PAD]"}
    elif family == "t5":
        special = ["<pad>", "</s>", "<unk>"]
        found = Tokenizer(models.Unigram([(word, 0.0) for word in special] + [("\u2581" + w, -5.0) for w in WORDS], 2))
        found.pre_tokenizer = pre_tokenizers.Metaspace()
        found.decoder = decoders.Metaspace()
        found.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
        named = {"eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}
    else:
        special = ["<pad>", "</s>", "<s>"]
        found = Tokenizer(models.BPE())
        found.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        found.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=330, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        )
        found.train_from_iterator(CORPUS, trainer)
        named = {"eos_token": "</s>", "pad_token": "<pad>"}
        if family in ("roberta", "llama", "bart"):
            single = "<s> $A" if family == "llama" else "<s> $A </s>"
            ends = [("<s>", 2), ("</s>", 1)]
            found.post_processor = processors.TemplateProcessing(single=single, special_tokens=ends)
            named["bos_token"] = "<s>"
    return PreTrainedTokenizerFast(tokenizer_object=found, **named), found.get_vocab_size()


def _marian(folder: Path) -> tuple[Any, int]:
    """The tokenizer that real Marian models have: two SentencePiece files and a vocabulary."""
    import json

    import sentencepiece
    from transformers import MarianTokenizer

    folder.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    with contextlib.redirect_stderr(io.StringIO()):
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS), model_writer=model, vocab_size=60, hard_vocab_limit=False, minloglevel=2
        )
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes(model.getvalue())
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    words = ["</s>", "<unk>", *(pieces.id_to_piece(n) for n in range(3, pieces.get_piece_size())), "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(words)}), encoding="utf-8")
    made = MarianTokenizer(
        source_spm=str(folder / "source.spm"), target_spm=str(folder / "target.spm"), vocab=str(folder / "vocab.json")
    )
    return made, len(words)

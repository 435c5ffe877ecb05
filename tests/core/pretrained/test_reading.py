"""What is recorded is what the model used: against its own eager attention, and against formulas written here."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from attention_core.derivation import derive
from attention_core.functional import attention
from attention_core.positions import T5Buckets
from attention_core.pretrained import ModelLimits, Pretrained, PretrainedError, Reading, load, read
from attention_core.pretrained.mods import Turned
from attention_core.trace import AttentionTrace
from tests.core.pretrained.tiny import FAMILIES, WRITING, saved

TEXT = "the cat sat on the bank of the river"
TARGET = "the river"


@cache
def loaded(family: str) -> Pretrained:
    return load(saved(family))


@cache
def found(family: str) -> Reading:
    return read(loaded(family), TEXT, TARGET)


def own_attentions(family: str) -> dict[str, torch.Tensor]:
    """What the same files give when transformers runs them with its own eager attention and is asked for them."""
    import transformers as t

    kind = t.AutoModelForSeq2SeqLM if family in WRITING else t.AutoModel
    model = kind.from_pretrained(saved(family), attn_implementation="eager").eval()
    tokenizer = t.AutoTokenizer.from_pretrained(saved(family))
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        if family not in WRITING:
            given = model(input_ids=ids, output_attentions=True, use_cache=False).attentions
            return {f"layer{n}": one for n, one in enumerate(given, start=1)}
        labels = tokenizer(text_target=TARGET, return_tensors="pt")["input_ids"]
        start = torch.tensor([[model.config.decoder_start_token_id]])
        out = model(
            input_ids=ids,
            decoder_input_ids=torch.cat([start, labels[:, :-1]], dim=1),
            output_attentions=True,
            use_cache=False,
        )
    parts = {"encoder": out.encoder_attentions, "decoder": out.decoder_attentions, "cross": out.cross_attentions}
    return {f"{part}{n}": one for part, given in parts.items() for n, one in enumerate(given, start=1)}


@pytest.mark.parametrize("family", (*FAMILIES, "mistral", "qwen3", "gemma2"))
def test_every_layer_and_head_is_what_the_model_used(family: str) -> None:
    reading, own = found(family), own_attentions(family)
    assert set(reading.layers) == set(own)
    for name, layer in reading.layers.items():
        trace = layer.trace()
        difference = float((trace.heads.weights - own[name]).abs().max())
        assert difference <= 1e-5, f"{name}: {difference}"
        assert float((layer.weights - own[name][0]).abs().max()) <= 1e-5
        assert trace.tokens == layer.tokens and len(layer.source_tokens) == own[name].shape[-1]
        assert own[name].amax() > 2 * own[name].mean(), "maps that are all even would hide a swapped axis"
    assert reading.difference <= 1e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_queries_keys_values_and_output_follow_from_the_projections(family: str) -> None:
    for name, layer in found(family).layers.items():
        trace = layer.trace()
        weights, heads = trace.projections, trace.heads
        assert weights is not None and weights.w_o is not None, name
        sources = {"q": trace.embedding, "k": trace.source_embedding, "v": trace.source_embedding}
        for side, x in sources.items():
            made = torch.einsum("bnd,hdk->bhnk", x, getattr(weights, f"w_{side}"))
            bias = getattr(weights, f"b_{side}")
            made = made if bias is None else made + bias[None, :, None]
            assert torch.allclose(made, getattr(heads, side), atol=1e-5), f"{name} {side}"
        output = trace.head_contributions().sum(dim=1)
        output = output if weights.b_o is None else output + weights.b_o
        assert torch.allclose(output, trace.output, atol=1e-4), name


def test_the_weights_of_a_projection_are_those_in_the_file() -> None:
    bert = loaded("bert").model.get_parameter("encoder.layer.1.attention.self.key.weight")
    weights = found("bert").layers["layer2"].trace().projections
    assert weights is not None
    torch.testing.assert_close(weights.w_k[2], bert[12:18].T)  # head 3 of 4, six columns each
    fused = loaded("gpt2").model.get_parameter("h.0.attn.c_attn.weight")  # stored (in, out): q, k and v side by side
    weights = found("gpt2").layers["layer1"].trace().projections
    assert weights is not None
    torch.testing.assert_close(weights.w_v[1], fused[:, 48 + 6 : 48 + 12])


def test_grouped_heads_stay_grouped_and_the_rotation_is_shown() -> None:
    trace = found("llama").layers["layer2"].trace()
    heads = trace.heads
    assert heads.q.shape[1] == 4 and heads.k.shape[1] == heads.v.shape[1] == 2
    assert heads.rotated_q is not heads.q
    width, count = 6, heads.q.shape[2]
    angle = torch.arange(count)[:, None] * 10000.0 ** (-torch.arange(3) * 2 / width)
    cos, sin = angle.cos(), angle.sin()
    for before, after in ((heads.q, heads.rotated_q), (heads.k, heads.rotated_k)):
        a, b = before[..., :3], before[..., 3:]  # column c turns with column c + d / 2
        turned = torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
        assert torch.allclose(turned, after, atol=1e-5)


def test_the_arithmetic_of_a_rotated_cell_is_right() -> None:
    """All columns of Llama turn, c with c + 3; of GPT-NeoX a part, here the first two of six, with each other."""
    for family, turning, away in (("llama", 6, 3), ("gpt_neox", 2, 1)):
        trace = found(family).layers["layer1"].trace()
        for row, col in [(1, col) for col in range(6)] + [(5, col) for col in range(6)]:
            step = derive(trace, "rotated_q", head=1, row=row, col=col).steps[-1]
            assert step.value == pytest.approx(float(trace.heads.rotated_q[0, 1, row, col]))
            if col >= turning:
                assert step.note is not None and step.note.key == "not_turned" and not step.terms
                continue
            assert [int(term.label) - 1 for term in step.terms] == [col % away, col % away + away]
            assert sum(term.result for term in step.terms) == pytest.approx(step.value, abs=1e-5)


def test_a_turn_that_is_none_is_not_explained_away() -> None:
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 1, 3, 4, generator=generator) for _ in range(3))
    heads = attention(q, k, v, mods=(Turned(q * 2.0 + 1.0, k),))
    trace = AttentionTrace(("a", "b", "c"), ("a", "b", "c"), q[0], q[0], heads, v[0], v[0])
    (step,) = derive(trace, "rotated_q", row=1, col=2).steps
    assert step.note is not None and step.note.key == "turn_unknown"
    assert step.value == pytest.approx(float(2.0 * q[0, 0, 1, 2] + 1.0))


def test_the_position_bias_of_t5_enters_as_its_paper_says() -> None:
    model = loaded("t5").model
    for name, part, both in (("encoder1", "encoder", True), ("decoder2", "decoder", False)):
        heads = found("t5").layers[name].trace().heads
        table = model.get_parameter(f"{part}.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
        scheme = T5Buckets(4, table.detach(), bidirectional=both)
        added = heads.modified_scores - heads.scaled_scores
        wanted = scheme.bias(*added.shape[-2:])
        assert torch.allclose(added[0], wanted, atol=1e-5), name
        assert heads.scaled_scores is heads.raw_scores, "T5 does not divide by the root of d_k"
    cross = found("t5").layers["cross1"].trace().heads
    assert cross.modified_scores is cross.scaled_scores, "its cross-attention knows no positions"


def test_a_cap_on_the_scores_is_a_stage() -> None:
    heads = found("gemma2").layers["layer1"].trace().heads
    torch.testing.assert_close(heads.modified_scores, 0.3 * torch.tanh(heads.scaled_scores / 0.3))
    assert float(heads.scaled_scores.abs().max()) > 0.5 > 0.3 > float(heads.modified_scores.abs().max())
    trace = found("gemma2").layers["layer1"].trace()
    assert trace.cap == 0.3 and trace.score_name == "own_scale"
    assert trace.scale == pytest.approx(256**-0.5)  # query_pre_attn_scalar, not the 6 columns of a head


def test_what_enters_is_named_after_where_it_comes_from() -> None:
    def entering(family: str, layer: str) -> tuple[str, bool]:
        trace = found(family).layers[layer].trace()
        return trace.origin, trace.normed

    # BERT ends a layer with its norm, GPT-2 and T5 begin one with theirs.
    assert [entering("bert", layer) for layer in ("layer1", "layer2")] == [("tokens", False), ("layer", False)]
    assert [entering("gpt2", layer) for layer in ("layer1", "layer2")] == [("tokens", True), ("layer", True)]
    hidden = found("bert").source.hidden
    assert torch.equal(found("bert").layers["layer2"].trace().embedding[0], hidden[1])
    assert [entering("t5", layer) for layer in ("encoder1", "encoder2", "decoder1", "decoder2")] == [
        ("tokens", True), ("layer", True), ("tokens", True), ("layer", True),
    ]  # fmt: skip
    for family in ("t5", "bart", "marian"):
        trace = found(family).layers["cross2"].trace()
        assert (trace.origin, trace.normed) == ("attention", True)
        assert (trace.source_origin, trace.source_normed) == ("encoder", False)


def test_queries_that_are_normed_are_shown_as_they_enter_the_scores() -> None:
    trace = found("qwen3").layers["layer1"].trace()
    weights, state = trace.projections, loaded("qwen3").model.get_parameter
    assert weights is not None and weights.w_q is None and weights.w_k is None
    assert trace.heads.rotated_q is trace.heads.q
    value, out = (state(f"layers.0.self_attn.{name}.weight") for name in ("v_proj", "o_proj"))
    by_head = value.reshape(2, 6, 24).transpose(1, 2)  # (kv_head, d_in, d_v)
    torch.testing.assert_close(weights.w_v, by_head)
    torch.testing.assert_close(trace.output, trace.concat @ out.T)
    torch.testing.assert_close(trace.head_contributions().sum(dim=1), trace.output, atol=1e-4, rtol=1e-4)
    first = loaded("qwen3").model.get_parameter("embed_tokens.weight")[loaded("qwen3").tokenizer(TEXT)["input_ids"]]
    normed = first / first.pow(2).mean(dim=-1, keepdim=True).add(1e-6).sqrt()
    assert torch.allclose(trace.embedding[0], normed, atol=1e-4), "what enters the values enters the queries too"


def test_a_sliding_window_arrives() -> None:
    allowed = found("mistral").layers["layer1"].trace().heads.allowed[0, 2]
    distance = torch.arange(len(allowed))[:, None] - torch.arange(len(allowed))
    assert torch.equal(allowed, (distance >= 0) & (distance < 4))


def test_masks_arrive() -> None:
    count = len(found("gpt2").source.tokens)
    for family, layer in (("gpt2", "layer1"), ("llama", "layer2")):
        allowed = found(family).layers[layer].trace().heads.allowed[0, 0]
        assert torch.equal(allowed, torch.ones(len(allowed), len(allowed)).tril().bool())
    assert bool(found("bert").layers["layer1"].trace().heads.allowed.all())
    assert bool(found("t5").layers["cross1"].trace().heads.allowed.all())
    assert not found("t5").layers["decoder1"].allowed[0, 1]
    assert count == found("gpt2").layers["layer1"].allowed.shape[0]


def test_cross_attention_reads_the_encoder_and_is_named_after_what_is_written() -> None:
    reading = found("marian")
    assert reading.target is not None
    cross, decoder = reading.layers["cross1"], reading.layers["decoder1"]
    assert cross.source_tokens == reading.source.tokens
    assert decoder.tokens[1:] == cross.tokens[:-1], "what is written in one step is read in the next"
    assert cross.tokens[-1] == "</s>"
    assert torch.equal(cross.trace().source_embedding[0], reading.source.hidden[-1])


def test_a_model_may_write_by_itself() -> None:
    model = loaded("bart")
    free = read(model, TEXT)
    written = free.layers["cross1"].tokens
    assert free.target is not None and 1 <= len(written) <= 48
    ids = model.tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        said = [2 if model.model.config.decoder_start_token_id is None else model.model.config.decoder_start_token_id]
        logits = model.model(input_ids=ids, decoder_input_ids=torch.tensor([said])).logits
    from attention_core.pretrained.pieces import piece_texts

    assert written[0] == piece_texts(model.tokenizer, [int(logits[0, -1].argmax())])[0]


def test_hidden_vectors_are_those_of_the_model() -> None:
    import transformers as t

    model = t.AutoModel.from_pretrained(saved("distilbert")).eval()
    ids = loaded("distilbert").tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        wanted = model(input_ids=ids, output_hidden_states=True).hidden_states
    assert torch.allclose(found("distilbert").source.hidden, torch.cat(wanted), atol=1e-5)


def test_what_cannot_be_read_is_said() -> None:
    model = loaded("bert")
    with pytest.raises(PretrainedError, match="The text is empty"):
        read(model, "  \n")
    with pytest.raises(PretrainedError, match=r"602 tokens.*the limit here is 512"):
        read(model, "cat " * 600)
    assert read(model, "cat " * 510).layers["layer1"].weights.shape == (4, 512, 512)
    with pytest.raises(PretrainedError, match=r"30,000 characters: the limit here is 20,000"):
        read(model, "x" * 30_000)
    with pytest.raises(PretrainedError, match="limit here is 38"):  # two positions fewer than in its config
        read(loaded("roberta"), "the river " * 30)
    small = load(saved("bert"), limits=ModelLimits(max_numbers=1000))
    with pytest.raises(PretrainedError, match=r"13 tokens.*max_numbers.*1,000"):
        read(small, "cat " * 11)


def test_one_token_is_enough() -> None:
    for family in ("gpt2", "llama"):
        reading = read(loaded(family), "a")
        assert float(reading.layers["layer1"].weights[0, 0, 0]) == 1.0


def test_two_threads_do_not_hear_each_other() -> None:
    from concurrent.futures import ThreadPoolExecutor

    texts = ["the cat sat", "the river bank grew", "he put the money into the bank", "a dog"] * 4
    model = loaded("bert")
    with ThreadPoolExecutor(4) as threads:
        several = list(threads.map(lambda text: read(model, text), texts))
    for text, reading in zip(texts, several, strict=True):
        alone = read(model, text)
        assert list(reading.layers) == ["layer1", "layer2"] and reading.source.tokens == alone.source.tokens
        assert torch.allclose(reading.layers["layer2"].weights, alone.layers["layer2"].weights, atol=1e-6)

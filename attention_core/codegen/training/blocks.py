"""The paragraphs of a script that trains, plain Python over the names that its first paragraphs set.

Written out by hand instead of being copied from the library, so that the script is a second, independent computation.
"""

from __future__ import annotations

IMPORTS = """\
import datetime
import hashlib
import math
import random
import zlib

import torch
import torch.nn.functional as F

torch.set_num_threads(1)  # such small tensors are no faster on more
"""

SAMPLES = '''\
def samples(numbers, split, count):
    """So many samples of "train" or "held_out": a checksum of each sample says to which it belongs."""
    found = []
    while len(found) < count:
        text, answer, looks, key = draw(numbers)
        place = zlib.crc32(f"{task}\\0{key}".encode()) % 10
        if split == ("held_out" if place == 8 else "test" if place == 9 else "train"):
            found.append((text, answer, looks))
    keys = max(len(text) for text, _, _ in found)
    queries = max(len(answer) for _, answer, _ in found) + writes  # a sentence that is written has an end
    source = torch.zeros(count, keys, dtype=torch.long)  # (batch, key), 0 is padding
    target = torch.full((count, queries), -100)  # (batch, query), -100 where no answer is asked for
    from_where = torch.zeros(count, queries, keys)  # (batch, query, key), 1 where the answer comes from
    for row, (text, answer, looks) in enumerate(found):
        source[row, : len(text)] = torch.tensor([words.index(word) + 3 for word in text])
        known = [-100 if word is None else answers.index(word) + 3 for word in answer] + [2] * writes
        target[row, : len(known)] = torch.tensor(known)
        for query, places in enumerate(looks):
            from_where[row, query, list(places)] = 1.0
    return source, target, from_where
'''

WEIGHTS = '''\
weights = {}  # every weight by its name
digest = hashlib.sha256("\\0".join([str(seed), "trained", task, "weights"]).encode()).digest()
generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def table(name, rows):
    """A vector for each of so many words or positions, from N(0, 0.5)."""
    weights[name] = torch.randn(rows, d_model, generator=generator) * 0.5  # (row, d_model)


def matrix(name, outputs, inputs):
    """y = W x + b: W uniform in +-1/sqrt(inputs), b = 0."""
    drawn = 2.0 * torch.rand(outputs, inputs, generator=generator) - 1.0
    weights[name + " W"], weights[name + " b"] = drawn / inputs**0.5, torch.zeros(outputs)


def norm_weights(name):
    """A layer norm before training: factors 1, offsets 0."""
    weights[name + " factor"], weights[name + " offset"] = torch.ones(d_model), torch.zeros(d_model)


def attention_weights(name):
    """A norm, W_q, W_k and W_v on top of each other, and W_o."""
    norm_weights(name)
    matrix(name + " qkv", 3 * d_model, d_model)
    matrix(name + " out", d_model, d_model)


def feed_weights(name):
    norm_weights(name)
    matrix(name + " hidden", d_ff, d_model)
    matrix(name + " back", d_model, d_ff)
'''

LAYERS = '''\
def linear(name, x):
    return F.linear(x, weights[name + " W"], weights[name + " b"])


def norm(name, x):
    return F.layer_norm(x, (d_model,), weights[name + " factor"], weights[name + " offset"])


def feed_forward(name, x):
    """x + W_2 relu(W_1 LN(x))."""
    return x + linear(name + " back", linear(name + " hidden", norm(name, x)).relu())


def attend(name, heads, query, key, value, allowed):
    """Attention of every head: what it adds, (batch, query, d_model), and its weights, (batch, head, query, key)."""
    W, b = weights[name + " qkv W"].chunk(3), weights[name + " qkv b"].chunk(3)
    width = d_model // heads
    q, k, v = (
        F.linear(x, W[i], b[i]).view(len(x), -1, heads, width).transpose(1, 2)  # (batch, head, position, width)
        for i, x in enumerate((query, key, value))
    )
    scores = q @ k.transpose(-2, -1) / math.sqrt(width)  # (batch, head, query, key)
    share = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)  # each row sums to 1
    context = (share @ v).transpose(1, 2).flatten(2)  # (batch, query, head * width)
    return linear(name + " out", context), share


def causal(length):
    return torch.ones(length, length, dtype=torch.bool).tril()  # (query, key), True = may look
'''

SINUSOIDS = '''\
def sinusoids(length):
    """PE[p, 2 i] = sin(p / 10000^(2 i / d_model)), PE[p, 2 i + 1] = cos of the same angle."""
    column = torch.arange(d_model)
    angle = torch.arange(length).double()[:, None] * 10000.0 ** (-2.0 * (column // 2) / d_model)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()  # (position, d_model)
'''

READER_WEIGHTS = """\
table("words", len(words) + 3)
table("positions", length)
for layer in range(1, layers + 1):
    attention_weights(f"layer {layer}")
for layer in range(1, layers + 1 if d_ff else 1):
    feed_weights(f"feed {layer}")
norm_weights("last")
matrix("answer", len(answers) + 3, d_model)
"""

READER = '''\
def run(source, target):
    """The logits (batch, query, answer), and the weights of the layer that is watched."""
    positions = weights["positions"][: source.shape[1]]  # (key, d_model)
    allowed = (source != 0)[:, None, None, :]  # (batch, 1, 1, key)
    {mask}x = weights["words"][source]{added}  # (batch, key, d_model)
    for layer in range(1, layers + 1):
        value = norm(f"layer {layer}", x)
        look = value{looked}
        update, share = attend(f"layer {layer}", heads, look, look, value, allowed)
        x = {carried}
        {feed}
    return linear("answer", norm("last", x)), share
'''

WRITER_WEIGHTS = """\
table("words", len(words) + 3)
table("answers", len(answers) + 3)
{tables}attention_weights("encoder")
feed_weights("encoder feed")
norm_weights("encoded")
attention_weights("decoder")
attention_weights("cross")
feed_weights("decoder feed")
norm_weights("last")
matrix("answer", len(answers) + 3, d_model)
"""

WRITER = '''\
def run(source, target):
    """The logits (batch, query, answer), and the weights of the cross head.

    The model is given the right words so far: the target, moved on by one place.
    """
    begin = torch.ones(len(target), 1, dtype=torch.long)
    written = torch.cat([begin, target[:, :-1].clamp(min=0)], dim=1)  # (batch, query)
    real = (source != 0)[:, None, None, :]  # (batch, 1, 1, key)
    bare = weights["words"][source]  # (batch, key, d_model)
    x = bare + {positions}
    normed = norm("encoder", x)
    x = feed_forward("encoder feed", x + attend("encoder", heads, normed, normed, normed, real)[0])
    encoded = norm("encoded", x)  # (batch, key, d_model)
    y = weights["answers"][written] + {answer_positions}
    normed = norm("decoder", y)
    past = causal(written.shape[1]) & (written != 0)[:, None, None, :]  # (batch, 1, query, key)
    y = y + attend("decoder", heads, normed, normed, normed, past)[0]
    update, share = attend("cross", 1, norm("cross", y), encoded, {values}, real)
    y = feed_forward("decoder feed", y + update)
    return linear("answer", norm("last", y)), share
'''

TRAIN = '''\
@torch.no_grad()
def measure():
    """Accuracy on held-out samples, and the weight of the best watched head where the answer comes from."""
    source, target, from_where = held_out
    logits, share = run(source, target)
    asked = target != -100  # (batch, query)
    right = (logits.argmax(dim=-1) == target) | ~asked
    accuracy = (right.all(dim=1) if whole else right[asked]).float().mean()
    known = from_where.any(dim=-1)  # (batch, query): the rows for which the data say so
    aligned = [(head * from_where).sum(dim=-1)[known].mean() for head in share.unbind(dim=1)]
    return float(accuracy), float(max(aligned))


for weight in weights.values():
    weight.requires_grad_()
optimizer = torch.optim.AdamW(weights.values(), lr=peak, betas=(0.9, 0.98), weight_decay=0.0)
train = random.Random(f"{seed}/{task} train")
held_out = samples(random.Random(f"{seed}/{task} held_out"), "held_out", {measured})

for step in range(1, steps + 1):
    progress = (step - 1) / planned
    warm = min(1.0, step / warmup)  # the rate rises, then follows a cosine down to 5 %
    for group in optimizer.param_groups:
        group["lr"] = peak * warm * (0.05 + 0.95 * 0.5 * (1.0 + math.cos(math.pi * min(progress, 1.0))))
    source, target, _ = samples(train, "train", {batch})
    logits, _ = run(source, target)
    loss = F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=-100, label_smoothing=smoothing)
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
    optimizer.step()
    if step % every == 0 or step == steps:
        accuracy, alignment = measure()
        print(f"step {step}  loss {loss.item():.6f}  accuracy {accuracy:.6f}  alignment {alignment:.6f}")
'''

"""The paragraphs of a generated script, plain Python over the names that its first paragraph sets.

They are written out by hand instead of being copied from the library, so that the script is a second,
independent computation, short enough to be read as a lesson.
"""

from __future__ import annotations

IMPORTS = """\
import hashlib
import math

import torch
import torch.nn.functional as F

torch.set_printoptions(precision=4, linewidth=140, sci_mode=False)
"""

SEEDED = '''\
def seeded(*purpose):
    """A random generator for one purpose: it depends on the seed and on what its numbers are for."""
    name = "\\0".join(str(part) for part in (seed, *purpose))
    digest = hashlib.sha256(name.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
'''

EMBEDDING = {
    "hashed": '''\
def vector(word):
    """The vector of a word: numbers from N(0, 1) that depend on the seed and the word alone."""
    generator = seeded("hashed embedding", content_width, word.encode().hex())
    return torch.randn(content_width, generator=generator, dtype=torch.float64).float()  # (content_width,)


def embed(words):
    return torch.stack([vector(word) for word in words])  # (word, content_width)
''',
    "sorted_vocabulary": '''\
def embed(words):
    """A word's vector is a row of a random table (nn.Embedding's), at the word's place in the sorted text."""
    place = {word: index for index, word in enumerate(sorted(words))}
    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(50_000, content_width, generator=generator)  # (row, content_width)
    return table[[place[word] for word in words]]  # (word, content_width)
''',
    "one_hot": '''\
def embed(words):
    """A 1 at the word's place in the alphabet of this text, zeros elsewhere."""
    place = {word: index for index, word in enumerate(sorted(set(words)))}
    places = torch.tensor([place[word] for word in words])  # (word,)
    return F.one_hot(places, content_width).float()  # (word, content_width)
''',
}

LAY_CONTENT = '''\
def lay(vectors):
    """Hand-built heads want [content | position]: content in blocks of four of length 2, then zeros."""
    blocks = []
    for block in vectors.double().split(4, dim=-1):
        size = block.square().mean(dim=-1, keepdim=True).sqrt()  # (word, 1)
        blocks.append(block / torch.where(size > 0, size, 1.0))  # (word, 4)
    zeros = torch.zeros(len(vectors), d_model - content_width, dtype=torch.float64)
    return torch.cat([*blocks, zeros], dim=-1).float()  # (word, d_model)
'''

SINUSOIDAL = '''\
def sinusoidal(length, width):
    """PE[p, 2 i] = sin(p / 10000^(2 i / width)), PE[p, 2 i + 1] = cos of the same angle."""
    column = torch.arange(width)
    position = torch.arange(length).double()[:, None]  # (position, 1)
    angle = position * 10000.0 ** (-2.0 * (column // 2) / width)  # (position, width)
    return torch.where(column % 2 == 0, angle.sin(), angle.cos()).float()  # (position, width)
'''

LEARNED = '''\
def learned(length, width):
    """A table of positions before training: row p is N(0, 1), from a generator of its own."""
    generators = [seeded("learned position", p, "width", width) for p in range(length)]
    rows = [torch.randn(width, generator=generator) for generator in generators]
    return torch.stack(rows)  # (position, width)
'''

LAY_POSITIONS = '''\
def lay_positions(length):
    """Zeros over the content, sines and cosines over the rest."""
    return F.pad(sinusoidal(length, d_model - content_width), (content_width, 0))  # (position, d_model)
'''

DRAW = '''\
def draw(name, heads, shape, d_in):
    """Numbers from N(0, 1 / d_in), so that q, k and v have variance 1. Each head has its own generator."""
    drawn = [torch.randn(shape, generator=seeded(name, head)) for head in range(heads)]
    return torch.stack(drawn) / d_in**0.5  # (head, *shape)
'''

RANDOM_WEIGHTS = """\
W_q = draw("w_q", num_heads, (d_model, d_k), d_model)  # (head, d_model, d_k)
W_k = draw("w_k", num_kv_heads, (d_model, d_k), d_model)  # (kv_head, d_model, d_k)
W_v = draw("w_v", num_kv_heads, (d_model, d_v), d_model)  # (kv_head, d_model, d_v)
"""

RANDOM_OUT = """\
W_o = draw("w_o", num_heads, (d_v, d_model), num_heads * d_v)  # (head, d_v, d_model)
"""

BIASES = """\
b_q = draw("b_q", num_heads, (d_k,), d_model)  # (head, d_k)
b_k = draw("b_k", num_kv_heads, (d_k,), d_model)  # (kv_head, d_k)
b_v = draw("b_v", num_kv_heads, (d_v,), d_model)  # (kv_head, d_v)
"""

NO_BIASES = """\
b_q = torch.zeros(num_heads, d_k)  # (head, d_k)
b_k = torch.zeros(num_kv_heads, d_k)  # (kv_head, d_k)
b_v = torch.zeros(num_kv_heads, d_v)  # (kv_head, d_v)
"""

ARTICLE_WEIGHTS = """\
generator = torch.Generator().manual_seed(seed)  # one stream for all, as after torch.manual_seed
W_q, W_k, W_v = [], [], []
for head in range(num_heads):
    W_q.append(torch.rand(d_model, d_k, generator=generator))
    if head % group == 0:
        W_k.append(torch.rand(d_model, d_k, generator=generator))
        W_v.append(torch.rand(d_model, d_v, generator=generator))
W_q = torch.stack(W_q)  # (head, d_model, d_k)
W_k = torch.stack(W_k)  # (kv_head, d_model, d_k)
W_v = torch.stack(W_v)  # (kv_head, d_model, d_v)
"""

ARTICLE_SOURCE = """\
source = torch.rand(keys, d_model, generator=generator)  # (key, d_model), after the weights as in the article
"""

PASS_ON = '''\
def pass_on(head):
    """A W_v that hands on d_v numbers of x as they are."""
    matrix = torch.zeros(d_model, d_v)
    for column in range(d_v):
        matrix[(head * d_v + column) % d_model, column] = 1.0
    return matrix
'''

PREVIOUS_TOKEN = """\
# Head 0, previous token. x holds (sin a, cos a) with a = i * speed; W_q turns this back by one step,
# sin(a - speed) = sin a cos(speed) - cos a sin(speed), cos(a - speed) = cos a cos(speed) + sin a sin(speed),
# W_k takes it as it is, and the product sum_f cos(speed_f (i - 1 - j)) is largest for j = i - 1.
W_q[0], W_k[0], W_v[0] = 0.0, 0.0, pass_on(0)
b_q[0], b_k[0], b_v[0] = 0.0, 0.0, 0.0
for place, pair in enumerate(pairs):
    speed = 10000.0 ** (-2.0 * pair / (d_model - content_width))
    cos, sin = math.cos(speed), math.sin(speed)
    rows = slice(content_width + 2 * pair, content_width + 2 * pair + 2)  # where sin and cos are in x
    columns = slice(2 * place, 2 * place + 2)
    W_q[0, rows, columns] = position_gain * torch.tensor([[cos, sin], [-sin, cos]])
    W_k[0, rows, columns] = position_gain * torch.eye(2)
"""

FIRST_TOKEN = """\
# Head 1, first token. Its query does not depend on x: b_q is PE(0), (sin 0, cos 0) = (0, 1) in each pair.
W_q[1], W_k[1 // group], W_v[1 // group] = 0.0, W_k[0].clone(), pass_on(1 // group)
b_q[1], b_k[1 // group], b_v[1 // group] = 0.0, 0.0, 0.0
b_q[1, 1 : 2 * len(pairs) : 2] = position_gain
"""

SAME_TOKEN = """\
# Head 2, same token. Query and key are the same numbers of the content; equal words make the largest product.
shared = 2 // group
W_q[2], W_k[shared], W_v[shared] = 0.0, 0.0, pass_on(shared)
b_q[2], b_k[shared], b_v[shared] = 0.0, 0.0, 0.0
for number in range(content_numbers):
    W_q[2, number, number] = W_k[shared, number, number] = content_gain
"""

PROJECT = """\
q = x @ W_q + b_q[:, None]  # (query, d_model) @ (head, d_model, d_k) -> (head, query, d_k)
k = source @ W_k + b_k[:, None]  # (kv_head, key, d_k)
v = source @ W_v + b_v[:, None]  # (kv_head, key, d_v)
"""

PROJECT_WITHOUT_BIAS = """\
q = x @ W_q  # (query, d_model) @ (head, d_model, d_k) -> (head, query, d_k)
k = source @ W_k  # (kv_head, key, d_k)
v = source @ W_v  # (kv_head, key, d_v)
"""

SHARE = """\
k = k.repeat_interleave(group, dim=0)  # (head, key, d_k): each key/value head serves `group` query heads
v = v.repeat_interleave(group, dim=0)  # (head, key, d_v)
"""

ROPE = '''\
def turn(rows):
    """Rotary positions: columns 2 i and 2 i + 1 of position p turn by the angle p / 10000^(i / planes)."""
    planes = d_k // 2
    theta = 10000.0 ** (-torch.arange(planes).double() / max(planes, 1))  # (plane,)
    angle = torch.arange(rows.shape[1]).double()[:, None] * theta  # (position, plane)
    cos, sin = angle.cos().float(), angle.sin().float()  # (position, plane)
    even, odd = rows[..., 0 : 2 * planes : 2], rows[..., 1 : 2 * planes : 2]  # (head, position, plane)
    turned = rows.clone()
    turned[..., 0 : 2 * planes : 2] = even * cos - odd * sin
    turned[..., 1 : 2 * planes : 2] = even * sin + odd * cos
    return turned  # (head, position, d_k)


q, k = turn(q), turn(k)
'''

SCORE = {
    "scaled_dot": """\
raw_scores = q @ k.transpose(-2, -1)  # (head, query, key): one dot product q_i . k_j for each pair
scale = 1.0 / math.sqrt(d_k) / temperature
""",
    "dot": """\
raw_scores = q @ k.transpose(-2, -1)  # (head, query, key): one dot product q_i . k_j for each pair
scale = 1.0 / temperature
""",
    "cosine": """\
unit_q, unit_k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)  # length 1
raw_scores = unit_q @ unit_k.transpose(-2, -1)  # (head, query, key): the cosine of the angle
scale = 1.0 / temperature
""",
    "additive": """\
A_q = draw("additive w_q", num_heads, (d_k, d_k), d_k)  # (head, d_k, d_a)
A_k = draw("additive w_k", num_heads, (d_k, d_k), d_k)  # (head, d_k, d_a)
a = draw("additive v", num_heads, (d_k,), d_k)  # (head, d_a)
hidden = torch.tanh((q @ A_q)[:, :, None] + (k @ A_k)[:, None])  # (head, query, key, d_a)
raw_scores = torch.einsum("hqka,ha->hqk", hidden, a)  # (head, query, key): a . tanh(A_q q_i + A_k k_j)
scale = 1.0 / temperature
""",
    "bilinear": """\
M = draw("bilinear weight", num_heads, (d_k, d_k), d_k)  # (head, d_k, d_k)
raw_scores = q @ M @ k.transpose(-2, -1)  # (head, query, key): q_i M k_j
scale = 1.0 / temperature
""",
}

SCALE = """\
scaled_scores = raw_scores * scale  # (head, query, key)
"""

RELATIVE = """\
relative = torch.arange(queries)[:, None] - torch.arange(keys)[None, :]  # (query, key): i - j
"""

MOD = {
    "alibi": """\
# ALiBi: the farther a key, the lower its score, with a slope for each head.
power = 1 << (num_heads.bit_length() - 1)
slopes = [2.0 ** (-8.0 * h / power) for h in range(1, power + 1)]
slopes += [2.0 ** (-4.0 * h / power) for h in range(1, 2 * power + 1, 2)]
slopes = torch.tensor(slopes[:num_heads])  # (head,)
modified_scores = scaled_scores - slopes[:, None, None] * relative.abs()  # (head, query, key)
""",
    "t5": '''\
def bucket(n):
    """T5: near distances have a bucket each, far ones share buckets that grow with the logarithm."""
    rows = 16 if bidirectional else 32
    start = rows if bidirectional and n < 0 else 0  # the upper half is for keys ahead
    distance, exact = abs(n) if bidirectional else max(n, 0), rows // 2
    if distance < exact:
        return start + distance
    spread = rows - exact
    # distance >= exact * (128 / exact)^(t / spread), in whole numbers
    return start + exact + sum(distance**spread >= exact ** (spread - t) * 128**t for t in range(1, spread))


table = torch.randn(32, num_heads, generator=seeded("T5 buckets"))  # (bucket, head)
buckets = torch.tensor([[bucket(i - j) for j in range(keys)] for i in range(queries)])  # (query, key)
modified_scores = scaled_scores + table[buckets].permute(2, 0, 1)  # (head, query, key)
''',
    "shaw": """\
# Relative keys (Shaw): every distance up to 16 on each side has a vector that the query meets as well.
table = torch.randn(33, d_k, generator=seeded("Shaw"))  # (distance, d_k)
ahead = table[(-relative).clamp(-16, 16) + 16]  # (query, key, d_k)
modified_scores = scaled_scores + torch.einsum("hqd,qkd->hqk", q, ahead) * scale  # (head, query, key)
""",
    "transformer_xl": """\
# Transformer-XL: the key meets a bias u, and the sinusoid of the distance meets the query and a bias.
width = num_heads * d_k
generator = seeded("Transformer-XL")
u = torch.randn(num_heads, d_k, generator=generator)  # (head, d_k)
w = torch.randn(num_heads, d_k, generator=generator)  # (head, d_k)
W_r = torch.randn(num_heads, width, d_k, generator=generator) / width**0.5  # (head, width, d_k)
column = torch.arange(width)
distances = torch.arange(-(keys - 1), queries)  # (distance,): every i - j there is
angle = distances.double()[:, None] * 10000.0 ** (-2.0 * (column // 2) / width)  # (distance, width)
R = torch.where(column % 2 == 0, angle.sin(), angle.cos())  # (distance, width)
r = (R @ W_r.double()).float()[:, relative + keys - 1]  # (head, query, key, d_k)
from_key = (k @ u[:, :, None]).transpose(-2, -1)  # (head, 1, key)
from_distance = torch.einsum("hqd,hqkd->hqk", q + w[:, None], r)  # (head, query, key)
modified_scores = scaled_scores + (from_key + from_distance) * scale  # (head, query, key)
""",
}

SOFTMAX = """\
weights = torch.softmax(modified_scores, dim=-1)  # (head, query, key): every row sums to 1
"""

MASKED_SOFTMAX = """\
h = torch.arange(num_heads)[:, None, None]  # (head, 1, 1)
i = torch.arange(queries)[:, None]  # (query, 1)
j = torch.arange(keys)[None, :]  # (1, key)
b = torch.zeros((), dtype=torch.long)  # the batch: one text
allowed = may_attend(b, h, i, j).expand(num_heads, queries, keys)  # (head, query, key), True = may attend
masked_scores = modified_scores.masked_fill(~allowed, -math.inf)  # (head, query, key)
weights = torch.softmax(masked_scores, dim=-1)  # (head, query, key)
nothing = ~allowed.any(dim=-1, keepdim=True)  # (head, query, 1)
weights = weights.masked_fill(nothing, 0.0)  # a row with nothing allowed: zeros, where the formula gives NaN
"""

DROPOUT = """\
survives = torch.rand(1, num_heads, queries, keys, generator=seeded("dropout"))[0] >= dropout
dropped_weights = weights * survives / (1.0 - dropout)  # (head, query, key)
"""

CONTEXT = """\
context = {weights} @ v  # (head, query, d_v): each head's mix of the values
concat = context.transpose(0, 1).flatten(1)  # (query, head * d_v)
"""

FINGERPRINT = '''\
def fingerprint(tensor):
    """One number that a change of any element, or of their order, changes."""
    numbers = tensor.double().flatten()
    return float((numbers * torch.cos(torch.arange(len(numbers), dtype=torch.float64))).sum())
'''

COMPARE = """\
for name, tensor, expected in shown:
    error, size = abs(fingerprint(tensor) - expected), float(tensor.double().abs().sum())
    assert error <= tolerance * (1.0 + size), f"{name}: {fingerprint(tensor)} instead of {expected}"
"""

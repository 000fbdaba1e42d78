"""Record what convolutions, pooling, resampling, recurrent layers and attention give in PyTorch,
for tests/test_nn_layers.py.

    python conformance/record_layers.py

writes tests/data/layers.json. Needs torch. See record_nn.py for how programs show values; those of
modules are all made of the text in tests/layer_programs.py, to keep the file small.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

import torch
from record_nn import ROOT

from layer_programs import program_of
from programs import run

OUT = ROOT / "tests" / "data" / "layers.json"
recorded: dict[str, Any] = {}


def module(make: str, inputs: str, call: str = "m(*inputs)", **options: bool) -> None:
    """train=False: in evaluation; initial=False: the first parameters are not drawn yet."""
    name = f"{make} {call if call != 'm(*inputs)' else ''} {'; '.join(options)}"
    assert name not in recorded, name
    recorded[name.strip()] = {"make": make, "inputs": inputs, "call": call, **options}


def program(name: str, text: str) -> None:
    recorded[name] = {"program": textwrap.dedent(text).strip()}


# Convolutions

for dims, shape in ((1, "2, 4, 9"), (2, "2, 4, 7, 6"), (3, "2, 4, 5, 4, 3")):
    x = f"torch.randn({shape})"
    module(f"nn.Conv{dims}d(4, 6, 3)", x)
    module(f"nn.Conv{dims}d(4, 6, 2, stride=2, padding=1, dilation=2, groups=2, bias=False)", x)
    module(f"nn.ConvTranspose{dims}d(4, 6, 3, stride=2, padding=1, output_padding=1)", x)
    module(f"nn.LazyConv{dims}d(6, 3)", x, initial=False)
module("nn.Conv1d(4, 6, 3)", "torch.randn(4, 8)", "m(inputs[0])")
module("nn.Conv2d(3, 6, (3, 2), padding='same', dtype=torch.float64)",
       "torch.randn(2, 3, 5, 5, dtype=torch.float64)")  # fmt: skip
module("nn.Conv2d(6, 6, 3, padding=1, groups=6)", "torch.randn(2, 6, 8, 8)")
module("nn.Conv2d(3, 2, 1)", "torch.randn(2, 3, 4, 4)")
for mode in ("reflect", "replicate", "circular"):
    module(f"nn.Conv2d(3, 2, 3, padding=(1, 2), padding_mode='{mode}')", "torch.randn(2, 3, 5, 5)")
module("nn.ConvTranspose2d(3, 4, 3, stride=3, groups=1)", "torch.randn(2, 3, 4, 4)",
       "m(inputs[0], output_size=(14, 13))")  # fmt: skip
module("nn.ConvTranspose2d(4, 6, 3, stride=2, dilation=2, groups=2, bias=False)",
       "torch.randn(4, 3, 5)")  # fmt: skip
module("nn.LazyConvTranspose2d(4, 3)", "torch.randn(1, 2, 4, 4)", initial=False)
module("nn.LazyLinear(3)", "torch.randn(2, 5)", initial=False)
module("nn.LazyBatchNorm2d()", "torch.randn(2, 3, 4, 4)", initial=False)
module("nn.LazyInstanceNorm1d()", "torch.randn(2, 3, 4)", initial=False)
module("nn.Unfold((2, 3), dilation=2, padding=1, stride=2)", "torch.randn(2, 3, 7, 8)")
module("nn.Fold((5, 6), (2, 3), padding=1, stride=(2, 1))", "torch.randn(2, 12, 18)")

# Pooling

for dims, shape in ((1, "2, 3, 9"), (2, "2, 3, 8, 7"), (3, "1, 2, 6, 5, 7")):
    x = f"torch.randn({shape})"
    module(f"nn.MaxPool{dims}d(2)", x)
    module(f"nn.MaxPool{dims}d(3, 2, 1, 2, ceil_mode=True, return_indices=True)", x)
    module(f"nn.AvgPool{dims}d(3, 2, 1, ceil_mode=True, count_include_pad=False)", x)
    module(f"nn.LPPool{dims}d(3, 2)", f"{x}.abs()")
    module(f"nn.AdaptiveAvgPool{dims}d(4)", x)
    module(f"nn.AdaptiveMaxPool{dims}d(4, return_indices=True)", x)
    module(f"nn.AdaptiveAvgPool{dims}d(1)", x)
    pooled = f"*nn.functional.max_pool{dims}d(inputs[0], 2, return_indices=True)"
    module(f"nn.MaxUnpool{dims}d(2)", x, f"m({pooled}, output_size=inputs[0].shape)")
for dims, shape in ((2, "2, 3, 8, 7"), (3, "2, 2, 6, 5, 7")):
    x = f"torch.randn({shape})"
    module(f"nn.FractionalMaxPool{dims}d(2, output_size=3)", x)
    module(f"nn.FractionalMaxPool{dims}d(2, output_ratio=({', '.join(['0.5'] * dims)}))", x)
module("nn.AvgPool2d(2, divisor_override=3)", "torch.randn(3, 6, 6)")

# Padding, resampling and shuffles

for dims, shape in ((1, "2, 3, 5"), (2, "2, 3, 5, 4"), (3, "2, 3, 3, 4, 5")):
    x = f"torch.randn({shape})"
    for kind in ("ReflectionPad", "ReplicationPad", "ZeroPad", "CircularPad"):
        module(f"nn.{kind}{dims}d(2)", x)
    module(f"nn.ConstantPad{dims}d({tuple(range(2 * dims))}, 0.5)", x)
for mode, shape in (("nearest", "2, 3, 5"), ("linear", "2, 3, 5"), ("nearest", "2, 3, 5, 4"),
                    ("bilinear", "2, 3, 5, 4"), ("bicubic", "2, 3, 5, 4"),
                    ("nearest", "2, 3, 3, 4, 5"), ("trilinear", "2, 3, 3, 4, 5")):  # fmt: skip
    dims = shape.count(",") - 1
    module(f"nn.Upsample(scale_factor=1.7, mode='{mode}') # {dims}", f"torch.randn({shape})")
    if mode != "nearest":
        module(f"nn.Upsample(({', '.join(['3'] * dims)},), mode='{mode}', align_corners=True)",
               f"torch.randn({shape})")  # fmt: skip
module("nn.UpsamplingNearest2d(scale_factor=2)", "torch.randn(1, 2, 3, 3)")
module("nn.UpsamplingBilinear2d((5, 7))", "torch.randn(1, 2, 3, 3)")
module("nn.PixelShuffle(2)", "torch.randn(2, 8, 2, 3)")
module("nn.PixelUnshuffle(2)", "torch.randn(2, 4, 6)")
module("nn.ChannelShuffle(3)", "torch.randn(2, 6, 2, 2)")

# Embedding bags, adaptive softmax, losses

ROWS = "torch.tensor([1, 2, 5, 3, 0, 5]), torch.tensor([0, 2, 2, 5])"
for mode in ("sum", "mean", "max"):
    module(f"nn.EmbeddingBag(7, 3, mode='{mode}')", ROWS)
    module(f"nn.EmbeddingBag(7, 3, mode='{mode}', padding_idx=5, include_last_offset=True)",
           ROWS.replace("5])", "6])"))  # fmt: skip
module("nn.EmbeddingBag(7, 3, mode='sum', scale_grad_by_freq=True)", ROWS + ", torch.rand(6)",
       "m(inputs[0], inputs[1], per_sample_weights=inputs[2])")  # fmt: skip
module("nn.EmbeddingBag(7, 3, max_norm=1.0)", "torch.tensor([[1, 2, 5], [0, 3, 3]])")
module("nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7], div_value=2.0, head_bias=True)",
       "torch.randn(6, 8), torch.tensor([0, 2, 5, 11, 7, 6])")  # fmt: skip
module("nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 7])", "torch.randn(6, 8)", "m.log_prob(*inputs)")
module("nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3])", "torch.randn(6, 8)", "m.predict(*inputs)")
LOGITS = "torch.randn(7, 3, 5, dtype=torch.float64)"
TARGETS = "torch.tensor([[1, 2, 2], [3, 1, 0], [4, 4, 4]])"
for reduction in ("none", "mean", "sum"):
    module(f"nn.CTCLoss(reduction='{reduction}')", f"{LOGITS}, {TARGETS}",
           "m(inputs[0].log_softmax(-1), inputs[1], (7, 6, 7), (3, 2, 3))")  # fmt: skip
module("nn.CTCLoss(2, zero_infinity=True)", f"{LOGITS}, torch.tensor([1, 1, 1, 3, 0])",
       "m(inputs[0].log_softmax(-1), inputs[1], (4, 2, 7), (3, 2, 0))")  # fmt: skip
module("nn.LinearCrossEntropyLoss(5, 4, bias=True)",
       "torch.randn(3, 5), torch.tensor([0, 3, 1])")  # fmt: skip

# Recurrent layers

SEQUENCES = "torch.randn(5, 3, 4)"
for kind in ("RNN", "LSTM", "GRU"):
    module(f"nn.{kind}(4, 3)", SEQUENCES)
    module(f"nn.{kind}(4, 3, num_layers=2, dropout=0.4, bidirectional=True, batch_first=True)",
           "torch.randn(3, 5, 4)")  # fmt: skip
    module(f"nn.{kind}(4, 3, bias=False, dtype=torch.float64)",
           "torch.randn(5, 4, dtype=torch.float64)")  # fmt: skip
    for ordered in (True, False):
        lengths = "[5, 3, 1]" if ordered else "[3, 5, 1]"
        packed = f"nn.utils.rnn.pack_padded_sequence(inputs[0], {lengths}, False, {ordered})"
        unpacked = "(*nn.utils.rnn.pad_packed_sequence(out[0])[:1], out[1])"
        call = f"(lambda out: {unpacked})(m({packed}))"
        module(f"nn.{kind}(4, 3, bidirectional=True)", SEQUENCES, call)
module("nn.RNN(4, 3, 1, 'relu')", SEQUENCES + ", torch.randn(1, 3, 3)")
module("nn.LSTM(4, 3, proj_size=2)",
       SEQUENCES + ", torch.randn(1, 3, 2), torch.randn(1, 3, 3)",
       "m(inputs[0], (inputs[1], inputs[2]))")  # fmt: skip
module("nn.RNNCell(4, 3)", "torch.randn(2, 4)")
module("nn.RNNCell(4, 3, nonlinearity='relu')", "torch.randn(2, 4), torch.randn(2, 3)")
module("nn.LSTMCell(4, 3)", "torch.randn(2, 4), torch.randn(2, 3), torch.randn(2, 3)",
       "m(inputs[0], (inputs[1], inputs[2]))")  # fmt: skip
module("nn.GRUCell(4, 3, bias=False)", "torch.randn(4)")

# Attention

QKV = "torch.randn(4, 2, 6), torch.randn(5, 2, 6), torch.randn(5, 2, 6)"
module("nn.MultiheadAttention(6, 3)", QKV)
module("nn.MultiheadAttention(6, 2, dropout=0.3, add_bias_kv=True, add_zero_attn=True)", QKV)
module("nn.MultiheadAttention(6, 2, kdim=4, vdim=5, bias=False)",
       "torch.randn(4, 2, 6), torch.randn(5, 2, 4), torch.randn(5, 2, 5)")  # fmt: skip
module("nn.MultiheadAttention(6, 2, batch_first=True)",
       "torch.randn(2, 4, 6), torch.tensor([[False] * 4, [False, False, True, True]])",
       "m(inputs[0], inputs[0], inputs[0], inputs[1], average_attn_weights=False)")  # fmt: skip
module("nn.MultiheadAttention(6, 3) # without weights", QKV,
       "m(*inputs, need_weights=False, attn_mask=torch.ones(4, 5).triu(2).bool())")  # fmt: skip
MASK = "nn.Transformer.generate_square_subsequent_mask(4)"
for options in ("", ", norm_first=True", ", activation='gelu', batch_first=True, bias=False"):
    layer = f"(6, 2, 8{options})"
    x = "torch.randn(4, 2, 6)"
    y = "torch.randn(5, 2, 6)"
    if "batch_first" in options:
        x, y = "torch.randn(2, 4, 6)", "torch.randn(2, 5, 6)"
    module(f"nn.TransformerEncoderLayer{layer}", x)
    module(f"nn.TransformerDecoderLayer{layer}", f"{x}, {y}", f"m(*inputs, tgt_mask={MASK})")
    module(f"nn.Transformer(6, 2, 1, 1, 8{options})", f"{y}, {x}", train=False)
module("nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8), 2, nn.LayerNorm(6))",
       "torch.randn(4, 2, 6)", f"m(*inputs, mask={MASK})", train=False)  # fmt: skip

# What is refused, and how

program(
    "errors",
    """
    z = torch.zeros
    F = nn.functional
    for call in (
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 3, 3, 3)), lambda: F.conv2d(z(2, 4), z(3, 2, 3, 3)),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 2, 5, 3)),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 2, 3, 3).double()),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 2, 3, 3), z(2)),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 1, 3, 3), groups=2),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 2, 3, 3), stride=0),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 2, 3, 3), stride=2, padding="same"),
        lambda: F.conv2d(z(1, 2, 4, 4), z(3, 2, 3, 3), padding="some"),
        lambda: F.conv_transpose2d(z(1, 2, 4, 4), z(2, 3, 3, 3), output_padding=1),
        lambda: F.unfold(z(1, 2, 4, 4), 5), lambda: F.fold(z(1, 18, 5), 4, 3),
        lambda: F.max_pool2d(z(1, 2, 4, 4), 2, padding=2), lambda: F.max_pool2d(z(1, 2, 4, 4), 5),
        lambda: F.max_pool2d(z(1, 2, 4, 4), 2, 0), lambda: F.max_pool1d(z(5), 2),
        lambda: F.avg_pool2d(z(1, 2, 4, 4), 2, divisor_override=0),
        lambda: F.max_unpool2d(z(1, 2, 2, 2), z(1, 2, 2, 2).long() + 99, 2),
        lambda: F.adaptive_avg_pool2d(z(1, 2, 4, 4), -1),
        lambda: F.interpolate(z(1, 2, 4, 4)), lambda: F.interpolate(z(1, 2, 4, 4), 5, 2),
        lambda: F.interpolate(z(1, 2, 4), 5, mode="bilinear"),
        lambda: F.grid_sample(z(1, 2, 4, 4), z(1, 3, 3, 3), align_corners=False),
        lambda: F.pixel_shuffle(z(1, 3, 2, 2), 2), lambda: F.channel_shuffle(z(1, 4, 2, 2), 3),
        lambda: F.embedding_bag(torch.tensor([0, 3]), z(3, 2), torch.tensor([0])),
        lambda: F.embedding_bag(torch.tensor([0, 1]), z(3, 2)),
        lambda: F.ctc_loss(z(5, 1, 4), torch.tensor([[1, 2]]), (6,), (2,)),
        lambda: nn.Conv2d(4, 3, 3, groups=3),
        lambda: nn.ConvTranspose2d(3, 3, 3, padding_mode="circular"),
        lambda: nn.ConvTranspose2d(2, 3, 3)(z(1, 2, 4, 4), output_size=(9, 9)),
        lambda: nn.LazyConv2d(3, 3)(z(2, 2)), lambda: nn.LazyLinear(3).weight.shape,
        lambda: nn.LSTM(4, 3)(z(5, 2, 3)), lambda: nn.LSTM(4, 3)(z(5, 2, 4), (z(1, 2, 2),) * 2),
        lambda: nn.LSTM(4, 3)(z(5)), lambda: nn.LSTM(4, 3, dropout=0.5), lambda: nn.GRU(0, 3),
        lambda: nn.GRU(4, 3)(z(5, 2, 4).double()), lambda: nn.RNN(4, 3, nonlinearity="sin"),
        lambda: nn.GRUCell(4, 3)(z(2, 3)), lambda: nn.LSTMCell(4, 3)(z(2, 2, 4)),
        lambda: nn.utils.rnn.pack_padded_sequence(z(5, 3, 4), [3, 5, 1]),
        lambda: nn.utils.rnn.pack_padded_sequence(z(5, 2, 4), [3, 0]),
        lambda: nn.MultiheadAttention(6, 4), lambda: nn.MultiheadAttention(6, 2)(z(4), z(4), z(4)),
        lambda: nn.MultiheadAttention(6, 2)(*[z(4, 2, 6)] * 3, attn_mask=z(3, 4)),
        lambda: nn.MultiheadAttention(6, 2)(*[z(4, 2, 6)] * 3, is_causal=True),
        lambda: nn.Transformer(6, 2)(z(4, 2, 6), z(4, 3, 6)),
        lambda: nn.TransformerEncoderLayer(6, 2, activation="sin"),
        lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3, 3]),
        lambda: nn.AdaptiveLogSoftmaxWithLoss(8, 12, [3])(z(2, 8), torch.tensor([0, 12])),
    ):
        attempt(call, plain=True)
    """,
)
program(
    "packed sequences",
    """
    rnn = nn.utils.rnn
    given = [torch.arange(n * 2.0).reshape(n, 2) for n in (2, 4, 1)]
    exact([rnn.pad_sequence(given, padding_value=-1.0), rnn.pad_sequence(given, True)])
    exact(rnn.pad_sequence(given, True, padding_side="left"))
    packed = rnn.pack_sequence(given, enforce_sorted=False)
    exact(list(packed))
    exact(rnn.pad_packed_sequence(packed, True, -2.0, 5))
    exact(rnn.unpack_sequence(packed))
    exact([packed.double().data.dtype == torch.float64, packed.to(torch.float32) is packed])
    exact(rnn.invert_permutation(torch.tensor([2, 0, 1])))
    attempt(lambda: rnn.pad_packed_sequence(packed, total_length=2))
    """,
)
program(
    "a small network",
    """
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3),
        nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(24, 3),
    )
    x, wanted = torch.randn(8, 1, 12, 12), torch.randint(0, 3, (8,))
    adam = optim.Adam(net.parameters(), 0.01)
    losses = []
    for _ in range(6):
        adam.zero_grad()
        loss = nn.functional.cross_entropy(net(x), wanted)
        loss.backward()
        adam.step()
        losses.append(loss.item())
    show(losses)
    """,
)


if __name__ == "__main__":
    for name, entry in recorded.items():
        try:
            entry["shown"] = run(program_of(entry), torch)
        except Exception as error:
            raise RuntimeError(f"the program {name!r} failed") from error
    OUT.write_text(json.dumps(recorded, separators=(",", ":")).replace('},"', '},\n"') + "\n")
    print(f"{len(recorded)} programs: {OUT}")

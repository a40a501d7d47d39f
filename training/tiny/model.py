"""The network: a stock transformers LFM2, with a lean forward pass for training on a CPU.

``build`` makes an ordinary ``Lfm2ForCausalLM``, so a checkpoint loads anywhere that LFM2 does.
``hidden`` and ``logits`` compute the same function from the same parameters, without masks, caches
and dtype round trips; ``python -m training.tiny.model`` checks that the two agree.

The normalisation weights stay at one (RMS norms are scale-free before a linear layer), except the
query norm, whose size is the sharpness of attention.
"""

from __future__ import annotations

import torch
import torch.nn.functional as nnf
from torch import Tensor
from transformers import Lfm2Config, Lfm2ForCausalLM

HIDDEN = 128
HEADS = 4
FEED_FORWARD = 256
LAYERS = ["conv", "full_attention"] * 3
KERNEL = 3
THETA = 10_000.0
EPS = 1e-5
MAX_LENGTH = 2048


def config(vocab_size: int, pad: int, end: int, hidden: int = HIDDEN, ff: int = FEED_FORWARD) -> Lfm2Config:
    """The configuration, with the extra fields that vLLM's LFM2 reads."""
    extra = {"conv_dim": hidden, "conv_dim_out": hidden, "block_dim": hidden, "block_ff_dim": ff}
    return Lfm2Config(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=ff,
        num_hidden_layers=len(LAYERS),
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        layer_types=LAYERS,
        conv_L_cache=KERNEL,
        conv_bias=False,
        block_auto_adjust_ff_dim=False,
        max_position_embeddings=MAX_LENGTH,
        norm_eps=EPS,
        rope_parameters={"rope_type": "default", "rope_theta": THETA},
        pad_token_id=pad,
        bos_token_id=None,
        eos_token_id=end,
        tie_word_embeddings=True,
        **extra,
    )


def build(vocab_size: int, pad: int, end: int, seed: int) -> Lfm2ForCausalLM:
    """A freshly initialised model; the same seed gives the same weights."""
    torch.manual_seed(seed)
    model = Lfm2ForCausalLM(config(vocab_size, pad, end)).float()
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "embed_tokens" in name:
                weight.normal_(0, 0.05)
            elif "conv.conv.weight" in name:
                weight.normal_(0, 0.5)
            elif "q_layernorm" in name:
                weight.fill_(2.0)
            elif weight.ndim == 2:
                narrow = 0.5 if "out_proj" in name or "w2" in name else 1.0
                weight.normal_(0, narrow / weight.shape[1] ** 0.5)
    for name, weight in model.named_parameters():
        weight.requires_grad_(weight.ndim > 1 or "q_layernorm" in name)
    return model


class _Norm(torch.autograd.Function):
    """RMS normalisation of the last axis without a weight, computed in float32."""

    @staticmethod
    def forward(ctx, x: Tensor, dtype: torch.dtype) -> Tensor:
        wide = x.float()
        scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPS)
        y = (wide * scale).to(dtype)
        ctx.save_for_backward(y, scale)
        ctx.dtype = x.dtype
        return y

    @staticmethod
    def backward(ctx, grad: Tensor):
        y, scale = ctx.saved_tensors
        g = grad.float()
        y = y.float()
        mean = (g * y).mean(-1, keepdim=True)
        return (scale * (g - y * mean)).to(ctx.dtype), None


def _rotary(length: int, size: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    steps = THETA ** (-torch.arange(0, size, 2).float() / size)
    angle = torch.outer(torch.arange(length).float(), steps)
    angle = torch.cat([angle, angle], -1)
    return angle.cos().to(dtype), angle.sin().to(dtype)


def _rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat([-right, left], -1) * sin


def _shift(x: Tensor, by: int) -> Tensor:
    return nnf.pad(x, (0, 0, by, 0))[:, :-by]


def _attend(layer, y: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    attn = layer.self_attn
    batch, length, width = y.shape
    size = width // HEADS
    weight = torch.cat([attn.q_proj.weight, attn.k_proj.weight, attn.v_proj.weight]).to(y.dtype)
    qkv = nnf.linear(y, weight).view(batch, length, 3, HEADS, size)
    qk = _Norm.apply(qkv[:, :, :2], y.dtype).permute(2, 0, 3, 1, 4)
    q = _rotate(qk[0] * attn.q_layernorm.weight.to(y.dtype), cos, sin)
    k = _rotate(qk[1], cos, sin)
    mixed = nnf.scaled_dot_product_attention(q, k, qkv[:, :, 2].transpose(1, 2), is_causal=True)
    return nnf.linear(mixed.transpose(1, 2).reshape(batch, length, width), attn.out_proj.weight.to(y.dtype))


def _convolve(layer, y: Tensor) -> Tensor:
    conv = layer.conv
    before, gate, x = nnf.linear(y, conv.in_proj.weight.to(y.dtype)).chunk(3, -1)
    z = before * x
    taps = conv.conv.weight[:, 0].to(y.dtype)
    z = z * taps[:, 2] + _shift(z, 1) * taps[:, 1] + _shift(z, 2) * taps[:, 0]
    return nnf.linear(gate * z, conv.out_proj.weight.to(y.dtype))


def hidden(model: Lfm2ForCausalLM, ids: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Last hidden states of right-padded ids (padding needs no mask under causal attention)."""
    x = nnf.embedding(ids, model.model.embed_tokens.weight)
    cos, sin = _rotary(ids.shape[1], x.shape[-1] // HEADS, dtype)
    for layer in model.model.layers:
        y = _Norm.apply(x, dtype)
        x = x + (_attend(layer, y, cos, sin) if layer.is_attention_layer else _convolve(layer, y))
        y = _Norm.apply(x, dtype)
        ff = layer.feed_forward
        gate, up = nnf.linear(y, torch.cat([ff.w1.weight, ff.w3.weight]).to(dtype)).chunk(2, -1)
        x = x + nnf.linear(nnf.silu(gate) * up, ff.w2.weight.to(dtype))
    return x


def logits(model: Lfm2ForCausalLM, states: Tensor, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """Scores over the vocabulary for some hidden states."""
    return nnf.linear(_Norm.apply(states, dtype), model.lm_head.weight.to(dtype)).float()


def main() -> None:
    model = build(512, 0, 3, seed=0).eval()
    ids = torch.randint(12, 512, (2, 40))
    with torch.no_grad():
        ours = logits(model, hidden(model, ids, torch.float32), torch.float32)
        gap = (ours - model(ids).logits).abs().max().item()
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters, largest logit difference {gap:.1e}")


if __name__ == "__main__":
    main()

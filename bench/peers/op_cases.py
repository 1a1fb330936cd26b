"""Single ops as PyTorch does them best, for the benches of kernels on a GPU: ops.py --serve asks for them by name and sizes.

A case is a dictionary {op, ...sizes}; `modes_of` makes its functions by mode, each of which does the op once. Operands are drawn
on the device; that ours computes the right thing is checked against float64 elsewhere.
"""

import torch
from torch.nn import functional

import common


def product(options, m, n, k, kind, f32=False):
    """C [m,n] = A B with A [m,k], B [k,n] as they lie: nt B turned (forward), nn neither (input gradient), tn A (weight gradient)."""
    dtype = torch.float32 if f32 else None
    a = draw(options, k, m, dtype=dtype).t() if kind == 'tn' else draw(options, m, k, dtype=dtype)
    b = draw(options, n, k, dtype=dtype).t() if kind == 'nt' else draw(options, k, n, dtype=dtype)
    out = torch.empty(m, n, dtype=a.dtype, device=options.device)
    return {'matmul': lambda: torch.mm(a, b, out=out)}


def linear_gelu(options, m, n, k):
    """The product with its epilogue; what backward needs of it is kept by hand."""
    x, weight, bias = draw(options, m, k), draw(options, n, k), draw(options, n)

    def eager():
        z = functional.linear(x, weight, bias)
        return z, functional.gelu(z, approximate='tanh')

    return {'matmul': lambda: torch.mm(x, weight.t()), 'linear+gelu': eager}


def attention(options, lengths, heads, size, dropout):
    """Forward and backward. Unequal lengths are padded to the longest with a mask, or nested."""
    longest, batch = max(lengths), len(lengths)
    is_even = min(lengths) == longest
    mask = None if is_even else common.attention_mask([[0] * n for n in lengths]).to(options.device)

    def leaves():
        # as a model has them, [B,S,A,D] seen as [B,A,S,D]
        return [draw(options, batch, longest, heads, size).transpose(1, 2).requires_grad_() for _ in range(3)]

    q, k, v = leaves()
    dy = torch.randn_like(q)

    def both():
        y = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)
        return torch.autograd.grad(y, (q, k, v), dy)

    modes = {name: common.with_backend(name, both) for name in common.BACKENDS if is_even or name != 'flash'}
    if not is_even:
        modes['nested'] = nested_attention(options, lengths, heads, size, dropout)
    return modes


def nested_attention(options, lengths, heads, size, dropout):
    """Ragged as PyTorch knows it: one tensor of all rows with the offsets of sequences."""
    ends = torch.tensor([0, *lengths], device=options.device).cumsum(0)
    ragged = dict(offsets=ends, min_seqlen=min(lengths), max_seqlen=max(lengths))

    def nested():
        rows = draw(options, sum(lengths), heads, size)
        return torch.nested.nested_tensor_from_jagged(rows, **ragged).detach().requires_grad_()

    q, k, v = nested(), nested(), nested()
    dy = torch.nested.nested_tensor_from_jagged(draw(options, sum(lengths), heads, size), **ragged)

    def both():
        y = functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), dropout_p=dropout,
        )
        return torch.autograd.grad(y.transpose(1, 2), (q, k, v), dy)

    return both


def layernorm(options, rows, width):
    """In f32, as ours outside of blocks."""
    x = draw(options, rows, width, dtype=torch.float32).requires_grad_()
    weight, bias = (draw(options, width, dtype=torch.float32).requires_grad_() for _ in range(2))
    dy = torch.randn_like(x)

    def both():
        return torch.autograd.grad(functional.layer_norm(x, (width,), weight, bias), (x, weight, bias), dy)

    return {'forward': lambda: functional.layer_norm(x.detach(), (width,), weight, bias), 'both': both}


def dropout(options, rows, width, p):
    """In f32."""
    x = draw(options, rows, width, dtype=torch.float32)
    return {'forward': lambda: functional.dropout(x, p)}


def dropout_add_layernorm(options, rows, width, p):
    """The end of half a block, as a model has it under autocast: three ops, or what the compiler makes of them."""
    x, residual = (draw(options, rows, width).requires_grad_() for _ in range(2))
    weight, bias = (draw(options, width, dtype=torch.float32).requires_grad_() for _ in range(2))

    def forward():
        with common.autocast(options):
            return functional.layer_norm(residual + functional.dropout(x, p), (width,), weight, bias)

    dy = torch.randn_like(forward())
    compiled = torch.compile(forward) if options.compile else None

    def both(form):
        return lambda: torch.autograd.grad(form(), (x, residual, weight, bias), dy)

    modes = {'eager': both(forward)}
    return {**modes, 'compiled': both(compiled)} if compiled else modes


def copy(options, bytes):
    """A copy within device memory, half of the bytes read and half written: what bandwidth is measured by."""
    x = torch.randint(0, 255, (bytes // 2,), dtype=torch.uint8, device=options.device)
    y = torch.empty_like(x)
    return {'copy': lambda: y.copy_(x)}


def vocabulary(options, rows, width, size):
    """Projection onto the vocabulary and cross-entropy, forward and backward; in f32 as ours, and by autocast."""
    x = draw(options, rows, width, dtype=torch.float32).requires_grad_()
    weight = draw(options, size, width, dtype=torch.float32).requires_grad_()
    bias = draw(options, size, dtype=torch.float32).requires_grad_()
    labels = torch.randint(0, size, (rows,), device=options.device)

    def both(enabled):
        with torch.autocast(options.device, torch.bfloat16, enabled=enabled):
            logits = functional.linear(x, weight, bias)
        return torch.autograd.grad(functional.cross_entropy(logits.float(), labels), (x, weight, bias))

    return {'f32': lambda: both(False), 'autocast': lambda: both(True)}


def update(options, shapes):
    """A LAMB step of tensors of these shapes in foreach calls, and PyTorch's own fused AdamW of them."""
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for i, shape in enumerate(shapes):
                data = draw(options, *shape, dtype=torch.float32)
                setattr(self, f'p{i}' if len(shape) > 1 else f'p{i}_bias', torch.nn.Parameter(data))

    model = Model()
    optimizer = common.Lamb(model, 1e-4)
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True, capturable=options.device == 'cuda')
    gradients = [torch.randn_like(p) for p in optimizer.parameters]

    def lamb():
        for p, gradient in zip(optimizer.parameters, gradients):
            p.grad = gradient
        optimizer.step()

    def fused_adamw():
        for p, gradient in zip(optimizer.parameters, gradients):
            p.grad = gradient
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        adamw.step()

    return {'lamb': lamb, 'adamw': fused_adamw}


OPS = {f.__name__: f for f in (
    product, linear_gelu, attention, layernorm, dropout, dropout_add_layernorm, copy, vocabulary, update,
)}


def draw(options, *shape, dtype=None):
    """Normal values, never zeros: products of zeros need less power and run faster."""
    dtype = dtype or (torch.bfloat16 if options.precision == 'bf16' else torch.float32)
    return torch.randn(shape, device=options.device).to(dtype)


def modes_of(options, case):
    """Functions by mode, `repeat` passes each, as one CUDA graph on a GPU."""
    repeat = case.pop('repeat', 1)
    modes = OPS[case.pop('op')](options, **case)

    def repeated(one):
        def run():
            for _ in range(repeat):
                one()
        return common.graphed(run, options, or_plain=True)

    return {mode: repeated(one) for mode, one in modes.items()}, repeat

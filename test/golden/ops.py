"""Golden file of single ops: PyTorch in float64 on float32 inputs, rounded to float32.

    python test/golden/ops.py               # writes test/golden/ops.safetensors

Keys are <case>/<tensor>; `dy` is the gradient that comes in, `d<input>` the ones that go out. N rows, H width.
    attention_<a|b|c>   cu_seqlens [B + 1]; q, k, v, y, dy, dq, dk, dv [N, A, D]; lse [N, A] (natural logarithm of the
                        sum of exp of scaled scores). Scale 1/sqrt(D), every row sees its own sequence. b holds scores
                        of some hundreds, sequences of one row and an empty sequence (float32 PyTorch: 3e-6 off).
    layernorm_<a|b>     x, y, dy, dx [N, H]; weight, bias, dweight, dbias [H]; mean, rstd [N]. eps 1e-12, biased
                        variance. b has a mean a thousand times its deviation: float32 PyTorch itself is 3e-4 off in y and
                        dweight and 4e-3 in dx (of 534).
    cross_entropy_<a|b> logits, dlogits [N, V]; labels [N] (-100: not counted); losses [N] (0 where not counted);
                        loss (mean of the counted), dlogits its gradient. b has logits up to 300.
    gelu                x, y, dy, dx [N]: the tanh form.
    mapping             x [N, E], weight [H, E], bias [H], y, dy [N, H], dx, dweight, dbias: y = gelu(x weight^T + bias).
"""

import pathlib

import numpy as np
import torch
from safetensors.numpy import save_file

generator = torch.Generator().manual_seed(7)
golden = {}


def normal(*shape, scale=1.0, shift=0.0):
    values = torch.randn(*shape, generator=generator, dtype=torch.float64) * scale + shift
    return values.float().double().requires_grad_()


def keep(case, **tensors):
    for name, tensor in tensors.items():
        values = tensor.detach().contiguous().numpy()
        golden[f'{case}/{name}'] = values.astype(np.float32 if values.dtype.kind == 'f' else np.int32)


def attention(case, lengths, heads, size, scale):
    rows = sum(lengths)
    q, k, v = (normal(rows, heads, size, scale=s) for s in (scale, scale, 1.0))
    dy = normal(rows, heads, size)
    outputs, sums, start = [], [], 0
    for length in lengths:
        here = slice(start, start + length)
        scores = torch.einsum('iad,jad->aij', q[here], k[here]) / size**0.5
        outputs.append(torch.einsum('aij,jad->iad', scores.softmax(-1), v[here]))
        sums.append(scores.logsumexp(-1).transpose(0, 1) if length else scores.new_zeros(0, heads))
        start += length
    y = torch.cat(outputs)
    dq, dk, dv = torch.autograd.grad(y, (q, k, v), dy)
    starts = torch.tensor(np.concatenate([[0], np.cumsum(lengths)]))
    keep(case, cu_seqlens=starts, q=q, k=k, v=v, y=y, lse=torch.cat(sums), dy=dy, dq=dq, dk=dk, dv=dv)


def layernorm(case, rows, width, scale, shift):
    x, weight, bias = normal(rows, width, scale=scale, shift=shift), normal(width, shift=1.0), normal(width)
    dy = normal(rows, width)
    y = torch.nn.functional.layer_norm(x, (width,), weight, bias, eps=1e-12)
    dx, dweight, dbias = torch.autograd.grad(y, (x, weight, bias), dy)
    rstd = (x.var(-1, unbiased=False) + 1e-12).rsqrt()
    keep(case, x=x, weight=weight, bias=bias, y=y, mean=x.mean(-1), rstd=rstd, dy=dy, dx=dx, dweight=dweight,
         dbias=dbias)


def cross_entropy(case, rows, vocabulary, scale):
    logits = normal(rows, vocabulary, scale=scale)
    labels = torch.randint(0, vocabulary, (rows,), generator=generator)
    labels[2] = -100
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction='none', ignore_index=-100)
    loss = torch.nn.functional.cross_entropy(logits, labels, ignore_index=-100)
    (dlogits,) = torch.autograd.grad(loss, (logits,))
    keep(case, logits=logits, labels=labels, losses=losses, loss=loss, dlogits=dlogits)


attention('attention_a', [5, 19, 1, 8], heads=2, size=8, scale=1.0)
attention('attention_b', [1, 7, 0, 1, 3], heads=1, size=13, scale=12.0)
attention('attention_c', [21], heads=1, size=64, scale=1.0)
layernorm('layernorm_a', 5, 37, scale=1.5, shift=0.3)
layernorm('layernorm_b', 3, 64, scale=0.01, shift=10.0)
cross_entropy('cross_entropy_a', 6, 43, scale=2.0)
cross_entropy('cross_entropy_b', 4, 17, scale=100.0)

x = torch.cat([torch.linspace(-12, 12, 97, dtype=torch.float64), torch.tensor([-1e-6, 0.0, 1e-6, -40.0, 40.0])])
x = x.float().double().requires_grad_()
dy = normal(len(x))
y = torch.nn.functional.gelu(x, approximate='tanh')
keep('gelu', x=x, y=y, dy=dy, dx=torch.autograd.grad(y, (x,), dy)[0])

x, weight, bias, dy = normal(9, 11), normal(19, 11, scale=0.5), normal(19), normal(9, 19)
y = torch.nn.functional.gelu(torch.nn.functional.linear(x, weight, bias), approximate='tanh')
dx, dweight, dbias = torch.autograd.grad(y, (x, weight, bias), dy)
keep('mapping', x=x, weight=weight, bias=bias, y=y, dy=dy, dx=dx, dweight=dweight, dbias=dbias)

path = pathlib.Path(__file__).parent / 'ops.safetensors'
save_file(golden, path, metadata={'format': 'pt'})
path.chmod(0o644)

"""What the Python peers share: the protocol, oneDNN's products, memory that is kept, bf16, and the loading of our folders.

Protocol: after the warm-up one JSON line that describes the run; then, for each line "step" on stdin, one step and one
JSON line {seconds, ...}; end of input ends the process. So a bench can alternate.
"""

import ctypes
import json
import sys
import time

import torch


def add_arguments(parser):
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--steps', type=int, help='run so many and exit, instead of reading stdin')
    parser.add_argument('--precision', choices=('f32', 'bf16'), default='f32', help='bf16: autocast')
    parser.add_argument('--compile', action='store_true', help='torch.compile the forward and backward pass')
    parser.add_argument('--linear', choices=('stock', 'onednn'), default='stock',
                        help="onednn: float32 products through oneDNN's operator, which PyTorch itself does not use")
    parser.add_argument('--keep-memory', choices=('yes', 'no'), default='yes', help='no: glibc as it comes')


def begin(options):
    """Threads, products and memory as the options say; returns what to say of them."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    if options.linear == 'onednn':
        use_onednn()
    kept = options.keep_memory == 'yes' and keep_memory()
    return dict(
        torch=torch.__version__, precision=options.precision, threads=torch.get_num_threads(), compiled=options.compile,
        linear=options.linear, memory_kept=kept, isa=torch.backends.cpu.get_cpu_capability(),
    )


def autocast(options):
    return torch.autocast('cpu', torch.bfloat16, enabled=options.precision == 'bf16')


def serve(step, options, description):
    """Warms up, says what runs, and takes steps; `step` returns what to report beside the seconds."""

    def timed():
        begun = time.perf_counter()
        more = step()
        return dict(seconds=time.perf_counter() - begun, **(more or {}))

    warm = [timed()['seconds'] for _ in range(options.warmup)]
    print(json.dumps(dict(peer='PyTorch', **description, warmup_seconds=warm)), flush=True)
    if options.steps is not None:
        for _ in range(options.steps):
            print(json.dumps(timed()), flush=True)
        return
    for line in sys.stdin:
        if line.strip() != 'step':
            sys.exit(f'{sys.argv[0]}: found {line.strip()!r}, expected "step"')
        print(json.dumps(timed()), flush=True)


def keep_memory():
    """Large blocks from the heap, and the heap never given back: glibc would map and clear them each time."""
    m_trim_threshold, m_mmap_threshold, m_mmap_max = -1, -3, -4
    libc = ctypes.CDLL(None)
    return bool(
        libc.mallopt(m_mmap_max, 0)
        and libc.mallopt(m_mmap_threshold, 1 << 30)
        and libc.mallopt(m_trim_threshold, 2**31 - 1)
    )


def onednn_linear():
    """nn.functional.linear through oneDNN, forward and backward, in place of MKL: a little faster on some processors."""
    product = torch.ops.mkldnn._linear_pointwise

    class OneDnnLinear(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, weight, bias):
            ctx.save_for_backward(x, weight)
            return product(x, weight, bias, 'none', [], '')

        @staticmethod
        def backward(ctx, dy):
            x, weight = ctx.saved_tensors
            dx = product(dy, weight.t(), None, 'none', [], '')
            dy, x = dy.flatten(0, -2), x.flatten(0, -2)
            return dx, product(dy.t(), x.t(), None, 'none', [], ''), dy.sum(0)

    return OneDnnLinear.apply


def use_onednn():
    """Every nn.Linear through oneDNN."""
    linear = onednn_linear()
    torch.nn.Linear.forward = lambda self, x: linear(x, self.weight, self.bias)


def load(kind, folder, dropout):
    """A transformers model of a folder of ours, with fused attention and the fused tanh GELU."""
    return kind.from_pretrained(
        folder, hidden_act='gelu_pytorch_tanh', hidden_dropout_prob=dropout, attention_probs_dropout_prob=dropout,
        attn_implementation='sdpa',
    )


def padded(rows, value, length=None):
    """[B, length]: rows filled up with `value`, to the longest by default."""
    length = length or max(len(row) for row in rows)
    out = torch.full((len(rows), length), value, dtype=torch.long)
    for b, row in enumerate(rows):
        out[b, : len(row)] = torch.tensor(row)
    return out

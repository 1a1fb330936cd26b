"""What the Python peers share: the protocol, oneDNN's products, memory that is kept, bf16, and the loading of our folders.

Protocol: after the warm-up one JSON line that describes the run; then, for each line "step [MODE] [N]" on stdin, N steps (1)
in a mode (the first) and one JSON line {seconds of a step, ...}; end of input ends the process. So a bench can alternate.
With --device cuda nothing waits for the GPU within a turn; its end does.
"""

import contextlib
import ctypes
import functools
import json
import sys
import time

import torch


def add_arguments(parser):
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--steps', type=int, help='run so many and exit, instead of reading stdin')
    parser.add_argument('--precision', choices=('f32', 'bf16'), default='f32', help='bf16: autocast')
    parser.add_argument('--compile', action='store_true', help='torch.compile the forward and backward pass')
    parser.add_argument('--modes', action='store_true', help='offer every way to take a step that the device has')
    parser.add_argument('--linear', choices=('stock', 'onednn'), default='stock',
                        help="onednn: float32 products through oneDNN's operator, which PyTorch itself does not use")
    parser.add_argument('--keep-memory', choices=('yes', 'no'), default='yes', help='no: glibc as it comes')


def begin(options):
    """Threads, products and memory as the options say; returns what to say of them."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    if options.linear == 'onednn':
        use_onednn()
    where = dict(device=options.device)
    if options.device == 'cuda':
        # f32 is f32, as ours is
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        where.update(gpu=torch.cuda.get_device_name(), cuda=torch.version.cuda)
    kept = options.device == 'cpu' and options.keep_memory == 'yes' and keep_memory()
    return dict(
        torch=torch.__version__, precision=options.precision, threads=torch.get_num_threads(), compiled=options.compile,
        linear=options.linear, memory_kept=kept, isa=torch.backends.cpu.get_cpu_capability(), **where,
    )


def autocast(options):
    return torch.autocast(options.device, torch.bfloat16, enabled=options.precision == 'bf16')


def sync(options):
    if options.device == 'cuda':
        torch.cuda.synchronize()


def serve(step, options, description):
    """
    Warms up, says what runs, and takes steps; `step` returns what to report beside the seconds, tensors as numbers. Or `step`
    has several functions by mode, each of which must run once before it counts as one: what fails is named and left out.
    """
    modes = dict(step) if isinstance(step, dict) else {'': step}
    failed = {}

    def timed(mode='', count=1):
        begun = time.perf_counter()
        for _ in range(count):
            more = modes[mode]()
        sync(options)
        seconds = (time.perf_counter() - begun) / count
        numbers = {name: float(value) for name, value in (more or {}).items()}
        return dict(seconds=seconds, **numbers)

    warm = {}
    for mode in list(modes):
        try:
            warm[mode] = [timed(mode)['seconds'] for _ in range(options.warmup)]
        except Exception as error:  # a backend that is not there, or wants other shapes
            if not isinstance(step, dict):
                raise
            failed[mode] = reason(error)
            del modes[mode]
            if options.device == 'cuda':
                torch.cuda.empty_cache()
    if not modes:
        sys.exit(f'{sys.argv[0]}: no mode runs: {failed}')
    if isinstance(step, dict):
        description = dict(description, modes=list(modes), failed=failed)
    else:
        warm = warm['']
    if options.device == 'cuda':
        description = dict(description, peak_bytes=torch.cuda.max_memory_allocated())
    print(json.dumps(dict(peer='PyTorch', **description, warmup_seconds=warm)), flush=True)
    first = next(iter(modes))
    if options.steps is not None:
        for _ in range(options.steps):
            print(json.dumps(timed(first)), flush=True)
        return
    for line in sys.stdin:
        word, *rest = line.split() or ['']
        count = int(rest.pop()) if rest and rest[-1].isdigit() else 1
        mode = rest[0] if rest else first
        if word != 'step' or len(rest) > 1 or mode not in modes:
            sys.exit(f'{sys.argv[0]}: found {line.strip()!r}, expected "step [MODE] [N]", modes are {list(modes)}')
        print(json.dumps(timed(mode, count)), flush=True)


def reason(error):
    return f'{type(error).__name__}: {error}'.split('\n')[0][:200]


BACKENDS = {'flash': 'FLASH_ATTENTION', 'cudnn': 'CUDNN_ATTENTION', 'efficient': 'EFFICIENT_ATTENTION', 'math': 'MATH'}


def attention_backend(name):
    """A context in which scaled_dot_product_attention takes that backend or fails; '' leaves the choice to it."""
    if not name:
        return contextlib.nullcontext()
    from torch.nn.attention import SDPBackend, sdpa_kernel
    return sdpa_kernel(getattr(SDPBackend, BACKENDS[name]))


def with_backend(name, step):
    def run():
        with attention_backend(name):
            return step()
    return run


def graphed(step, options, or_plain=False):
    """
    A step as one CUDA graph that is replayed; what it returns are the tensors of the captured one. On the CPU the step itself, and
    with `or_plain` also where it cannot be captured, because it waits for the GPU.
    """
    if options.device != 'cuda':
        return step
    captured = []

    def capture():
        torch.cuda.empty_cache()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # graphs never run at the same time, so all of them take the same memory in turn
        with torch.cuda.graph(graph, pool=graph_pool()):
            result = step()
        return graph, result

    def run():
        if not captured:
            try:
                captured.extend(capture())
            except Exception:
                if not or_plain:
                    raise
                torch.cuda.synchronize()
                captured.extend((None, None))
        graph, result = captured
        if graph is None:
            return step()
        graph.replay()
        return result

    return run


@functools.cache
def graph_pool():
    return torch.cuda.graph_pool_handle()


def training_modes(step, compiled, options, masked=False):
    """
    The ways to take a training step that PyTorch has on a GPU: eager with each backend of attention, whole steps as a CUDA
    graph with the backends that are fast, and the same of a compiled forward and backward pass (`compiled`, a step). `masked`:
    batches are padded, so that flash attention, which takes no mask, is not to be had.
    """
    backends = [name for name in BACKENDS if not (masked and name == 'flash')]
    modes = {f'eager-{name}': with_backend(name, step) for name in backends}
    modes.update({f'graph-{name}': graphed(with_backend(name, step), options) for name in backends[:2]})
    if compiled:
        modes['compiled'] = compiled
        modes['compiled-graph'] = graphed(compiled, options)
    return modes


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


def plain_masks():
    """
    Makes ALBERT and BERT take masks as they are: none where all tokens are real, else [B, 1, S, S] as `attention_mask` makes them.
    By themselves they look into masks, for which they wait, and while they are compiled or captured make one even where none is needed.
    """
    from transformers.models.albert import modeling_albert
    from transformers.models.bert import modeling_bert
    for modeling in (modeling_albert, modeling_bert):
        modeling.create_bidirectional_mask = lambda *args, attention_mask=None, **more: attention_mask


def attention_mask(rows, length=None):
    """Which keys each query of rows of unequal length sees; None where no row is padded."""
    mask = padded([[1] * len(row) for row in rows], 0, length).bool()
    return None if bool(mask.all()) else mask[:, None, None, :].expand(-1, 1, mask.shape[1], -1)


def load(kind, folder, dropout):
    """A transformers model of a folder of ours, with fused attention and the fused tanh GELU."""
    plain_masks()
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


class Lamb:
    """LAMB as in the original ALBERT code (no bias correction), every stage over all tensors in foreach calls."""

    def __init__(self, model, rate):
        self.rate = rate
        named = list(model.named_parameters())
        self.adapted = [p for name, p in named if not self.excluded(name)]
        self.plain = [p for name, p in named if self.excluded(name)]
        self.parameters = self.adapted + self.plain
        self.m = [torch.zeros_like(p) for p in self.parameters]
        self.v = [torch.zeros_like(p) for p in self.parameters]

    @staticmethod
    def excluded(name):
        return name.lower().endswith('bias') or 'layernorm' in name.lower() or 'layer_norm' in name.lower()

    @staticmethod
    def norms(tensors):
        return torch.stack(torch._foreach_norm(tensors))

    def step(self):
        with torch.no_grad():
            grads = [p.grad for p in self.parameters]
            torch._foreach_mul_(grads, 1.0 / self.norms(grads).norm().clamp(min=1.0))
            torch._foreach_lerp_(self.m, grads, 0.1)
            torch._foreach_mul_(self.v, 0.999)
            torch._foreach_addcmul_(self.v, grads, grads, 0.001)
            update = torch._foreach_sqrt(self.v)
            torch._foreach_add_(update, 1e-6)
            update = torch._foreach_div(self.m, update)
            count = len(self.adapted)
            torch._foreach_add_(update[:count], self.adapted, alpha=0.01)
            weight_norms, update_norms = self.norms(self.adapted), self.norms(update[:count])
            ratios = torch.where((weight_norms > 0) & (update_norms > 0), weight_norms / update_norms, 1.0)
            torch._foreach_mul_(update[:count], list(ratios.unbind()))
            torch._foreach_add_(self.parameters, update, alpha=-self.rate)
            for p in self.parameters:
                p.grad = None

"""The peer of our training step: ALBERT pretraining (MLM + SOP) in PyTorch on the CPU, as fast as PyTorch does it.

    python bench/peers/albert_step.py --batch 8 --length 128              # one step for each line read from stdin
    python bench/peers/albert_step.py --batch 2 --length 512 --steps 5    # five steps, then exit

Needs test/golden/requirements.txt. A step is what ours is: forward, the vocabulary head at masked positions only,
backward, clipping to norm 1 and LAMB over every parameter. In PyTorch's favour: fused attention (SDPA) without a
mask, the fused tanh GELU in place of transformers' own, a foreach optimizer, freed memory kept by the process
(--keep-memory) and fixed inputs.
Protocol: after the warm-up one JSON line that describes the run; then, for each line "step" on stdin, one step
and one JSON line {seconds, tokens_per_second, loss}; end of input ends the process. So a bench can alternate.
"""

import argparse
import ctypes
import json
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--batch', type=int, default=8, help='sequences')
    parser.add_argument('--length', type=int, default=128, help='tokens of each sequence, all real')
    parser.add_argument('--masked', type=int, help='masked positions of each sequence (20 up to 128, else 15%%)')
    parser.add_argument('--preset', choices=('mini', 'base', 'large'), default='base')
    parser.add_argument('--dropout', type=float, default=0.0)
    parser.add_argument('--precision', choices=('f32', 'bf16'), default='f32', help='bf16: autocast')
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--warmup', type=int, default=2)
    parser.add_argument('--steps', type=int, help='run so many and exit, instead of reading stdin')
    parser.add_argument('--compile', action='store_true', help='torch.compile the forward and backward pass')
    parser.add_argument('--linear', choices=('stock', 'onednn'), default='stock',
                        help="onednn: float32 products through oneDNN's operator, which PyTorch itself does not use")
    parser.add_argument('--keep-memory', choices=('yes', 'no'), default='yes', help='no: glibc as it comes')
    return parser.parse_args()


def keep_memory():
    """Large blocks from the heap, and the heap never given back: glibc would map and clear them each time."""
    m_trim_threshold, m_mmap_threshold, m_mmap_max = -1, -3, -4
    libc = ctypes.CDLL(None)
    return bool(
        libc.mallopt(m_mmap_max, 0)
        and libc.mallopt(m_mmap_threshold, 1 << 30)
        and libc.mallopt(m_trim_threshold, 2**31 - 1)
    )


def use_onednn():
    """Every nn.Linear through oneDNN, forward and backward, in place of MKL: a little faster on some processors."""
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

    torch.nn.Linear.forward = lambda self, x: OneDnnLinear.apply(x, self.weight, self.bias)


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
            torch._foreach_mul_(update[:count], [ratio.item() for ratio in ratios])
            torch._foreach_add_(self.parameters, update, alpha=-self.rate)
            for p in self.parameters:
                p.grad = None


PRESETS = {
    'mini': dict(hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024),
    'base': dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
    'large': dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
}


def main(options):
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    if options.linear == 'onednn':
        use_onednn()
    kept = options.keep_memory == 'yes' and keep_memory()
    config = transformers.AlbertConfig(
        vocab_size=30000, embedding_size=128, max_position_embeddings=512, hidden_act='gelu_pytorch_tanh',
        hidden_dropout_prob=options.dropout, attention_probs_dropout_prob=options.dropout, classifier_dropout_prob=0.0,
        attn_implementation='sdpa', **PRESETS[options.preset],
    )
    model = transformers.AlbertForPreTraining(config).train()
    optimizer = Lamb(model, rate=1e-4)
    batch, length = options.batch, options.length
    masked = options.masked or (20 if length <= 128 else round(0.15 * length))
    ids = torch.randint(5, 30000, (batch, length))
    segments = (torch.arange(length) >= length // 2).long().expand(batch, length).contiguous()
    rows = torch.cat([torch.randperm(length)[:masked].sort().values + b * length for b in range(batch)])
    labels = torch.randint(5, 30000, (batch * masked,))
    order = torch.randint(0, 2, (batch,))

    def loss_of():
        with torch.autocast('cpu', torch.bfloat16, enabled=options.precision == 'bf16'):
            encoded = model.albert(input_ids=ids, token_type_ids=segments)
            logits = model.predictions(encoded.last_hidden_state.flatten(0, 1)[rows])
            sop = model.sop_classifier(encoded.pooler_output)
        entropy = torch.nn.functional.cross_entropy
        return entropy(logits.float(), labels, reduction='sum') / (len(labels) + 1e-5) + entropy(sop.float(), order)

    forward = torch.compile(loss_of) if options.compile else loss_of

    def step():
        begun = time.perf_counter()
        loss = forward()
        loss.backward()
        optimizer.step()
        value = loss.item()
        seconds = time.perf_counter() - begun
        return dict(seconds=seconds, tokens_per_second=batch * length / seconds, loss=value)

    warm = [step()['seconds'] for _ in range(options.warmup)]
    print(json.dumps(dict(
        peer='PyTorch', torch=torch.__version__, transformers=transformers.__version__, preset=options.preset,
        precision=options.precision, batch=batch, length=length, masked=masked, dropout=options.dropout,
        threads=torch.get_num_threads(), compiled=options.compile, linear=options.linear, memory_kept=kept,
        isa=torch.backends.cpu.get_cpu_capability(), parameters=sum(p.numel() for p in optimizer.parameters),
        warmup_seconds=warm,
    )), flush=True)
    if options.steps is not None:
        for _ in range(options.steps):
            print(json.dumps(step()), flush=True)
        return
    for line in sys.stdin:
        if line.strip() != 'step':
            sys.exit(f'albert_step.py: found {line.strip()!r}, expected "step"')
        print(json.dumps(step()), flush=True)


if __name__ == '__main__':
    parsed = arguments()  # before the slow imports, so that wrong use is refused at once
    import torch
    import transformers

    main(parsed)

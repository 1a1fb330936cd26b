"""The peer of single ops: PyTorch's linear, scaled_dot_product_attention and product, forward and backward.

    python bench/peers/ops.py --op linear --sizes 1024,768,768 --data DIR --out PREFIX --repeat 10
    python bench/peers/ops.py --serve --device cuda --precision bf16

Sizes are M,K,N of linear and product, B,S,A,D of attention. Inputs lie in DIR as raw f32: NAME.f32. The results of the
first pass go to PREFIX.NAME.f32. A step is --repeat passes; its seconds are those of one. Attention gets its operands
as a model has them, [B,S,A,D] seen as [B,A,S,D]. With --serve a line "case JSON" names an op of op_cases.py with its sizes and
how many passes a step has, is answered by the modes that run, and lines "step MODE [N]" are steps of the case named last.
Needs bench/peers/requirements.txt.
"""

import argparse
import json
import os
import sys
import time


def operands(options, dtype):
    """Tensors by name, and what puts names on the results of `linear`, `product` or attention."""
    def read(name, *shape):
        return torch.from_numpy(numpy.fromfile(os.path.join(options.data, f'{name}.f32'), numpy.float32)).view(shape)

    sizes = [int(n) for n in options.sizes.split(',')]
    if options.op == 'attention':
        b, s, a, d = sizes
        parts = [t.to(dtype) for t in read('qkv', b, s, 3, a, d).unbind(2)]
        leaves = [t.contiguous().requires_grad_() for t in parts]
        dy = read('dy', b, s, a, d).to(dtype)
        return leaves, dy.transpose(1, 2)
    m, k, n = sizes
    if options.op == 'product':
        return [read('a', m, k).to(dtype), read('b', k, n).to(dtype)], None
    leaves = [read('x', m, k), read('weight', n, k), read('bias', n)]
    return [t.to(dtype).requires_grad_() for t in leaves], read('dy', m, n).to(dtype)


def serve(options):
    import op_cases
    print(json.dumps(dict(peer='PyTorch', **common.begin(options))), flush=True)
    modes, repeat = {}, 1
    for line in sys.stdin:
        word, _, rest = line.strip().partition(' ')
        if word == 'case':
            modes = {}  # frees the memory of the last one
            if options.device == 'cuda':
                torch.cuda.empty_cache()
            failed = {}
            try:
                modes, repeat = op_cases.modes_of(options, json.loads(rest))
            except Exception as error:
                failed['all'] = common.reason(error)
            for mode in list(modes):
                try:
                    modes[mode]()
                    common.sync(options)
                except Exception as error:
                    failed[mode] = common.reason(error)
                    del modes[mode]
            print(json.dumps(dict(modes=list(modes), failed=failed)), flush=True)
        elif word == 'step' and rest.split()[:1] and rest.split()[0] in modes:
            mode, *count = rest.split()
            count = int(count[0]) if count else 1
            begun = time.perf_counter()
            for _ in range(count):
                modes[mode]()
            common.sync(options)
            print(json.dumps(dict(seconds=(time.perf_counter() - begun) / count / repeat)), flush=True)
        else:
            sys.exit(f'{sys.argv[0]}: found {line.strip()!r}, expected "case JSON" or "step MODE [N]" of {list(modes)}')


def main(options):
    description = common.begin(options)
    leaves, dy = operands(options, torch.bfloat16 if options.precision == 'bf16' else torch.float32)
    linear = common.onednn_linear() if options.linear == 'onednn' else torch.nn.functional.linear

    def forward():
        if options.op == 'attention':
            return torch.nn.functional.scaled_dot_product_attention(*(t.transpose(1, 2) for t in leaves))
        return torch.mm(*leaves) if options.op == 'product' else linear(*leaves)

    def both():
        y = forward()
        return y, () if dy is None else torch.autograd.grad(y, leaves, dy)

    y, gradients = both()
    if options.op == 'attention':
        results = dict(y=y.transpose(1, 2), dqkv=torch.stack(gradients, 2))
    else:
        results = dict(y=y, **dict(zip(('dx', 'dweight', 'dbias'), gradients)))
    for name, tensor in results.items():
        tensor.detach().float().contiguous().numpy().tofile(f'{options.out}.{name}.f32')

    def step():
        begun = time.perf_counter()
        for _ in range(options.repeat):
            both()
        return (time.perf_counter() - begun) / options.repeat

    step()
    print(json.dumps(description), flush=True)
    for line in sys.stdin:
        print(json.dumps(dict(seconds=step())), flush=True)


if __name__ == '__main__':
    import common
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--serve', action='store_true', help='take cases and steps from stdin')
    parser.add_argument('--op', choices=('linear', 'attention', 'product'))
    parser.add_argument('--sizes')
    parser.add_argument('--data')
    parser.add_argument('--out')
    parser.add_argument('--repeat', type=int, default=1)
    common.add_arguments(parser)
    parsed = parser.parse_args()
    import numpy
    import torch

    serve(parsed) if parsed.serve else main(parsed)

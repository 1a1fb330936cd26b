"""A safetensors file with every element type, written by the reference implementation.

    python test/golden/dtypes.py            # writes test/golden/dtypes.safetensors

The values stand as literals in test/model/formats/safetensors.test.ts as well.
"""

import pathlib

import torch
from safetensors.torch import save_file

FLOATS = [0.0, -0.0, 1.0, -2.5, 0.333251953125, 65504.0, 6e-8, 1e-5, float('inf'), float('-inf'), float('nan')]
tensors = {
    name: torch.tensor(FLOATS, dtype=dtype)
    for name, dtype in dict(f64=torch.float64, f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16).items()
}
tensors |= {
    name: torch.tensor([[0, 1, 2], [100, 127, low]], dtype=dtype)
    for name, dtype, low in [
        ('i64', torch.int64, -2147483648), ('i32', torch.int32, -2147483648), ('i16', torch.int16, -32768),
        ('i8', torch.int8, -128), ('u8', torch.uint8, 255), ('u16', torch.uint16, 65535),
        ('u32', torch.uint32, 2147483647), ('u64', torch.uint64, 2147483647),
    ]
}
tensors |= {
    'bool': torch.tensor([True, False, True]),
    'scalar': torch.tensor(7.25),
    'none': torch.zeros(3, 0, 2),
    'naïve/β-carotene': torch.tensor([1.5]),
    'too_large': torch.tensor([2**40]),
}
path = pathlib.Path(__file__).parent / 'dtypes.safetensors'
save_file(tensors, path, metadata={'format': 'pt', 'about': 'grüße'})
path.chmod(0o644)
# The float values as float32 reads them, for the literals of the test.
for name in ('f64', 'f32', 'f16', 'bf16'):
    print(name, tensors[name].float().tolist())

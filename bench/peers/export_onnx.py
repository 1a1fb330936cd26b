"""Writes a token classifier of ours as ONNX, with free numbers of sequences and of pieces: what the peers on ONNX Runtime run.

    python bench/peers/export_onnx.py --model DIR     # makes DIR/onnx/model.onnx

The layout is that of transformers.js. Attention is exported as plain products and softmax, which ONNX Runtime fuses.
Needs bench/peers/requirements.txt.
"""

import argparse
import os


def main(folder):
    model = transformers.AlbertForTokenClassification.from_pretrained(folder, attn_implementation='eager').eval()
    ids = torch.randint(5, 100, (2, 9))
    mask = torch.ones_like(ids)
    mask[1, 7:] = 0
    path = os.path.join(folder, 'onnx', 'model.onnx')
    os.makedirs(os.path.dirname(path), exist_ok=True)
    free = {0: 'sequences', 1: 'pieces'}
    with torch.no_grad():
        torch.onnx.export(
            model, (ids, mask, torch.zeros_like(ids)), path, dynamo=False, opset_version=18,
            input_names=['input_ids', 'attention_mask', 'token_type_ids'], output_names=['logits'],
            dynamic_axes={name: free for name in ('input_ids', 'attention_mask', 'token_type_ids', 'logits')},
        )


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', required=True)
    parsed = parser.parse_args()
    import torch
    import transformers

    main(parsed.model)

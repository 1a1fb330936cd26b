"""Writes a token classifier of ours as ONNX, with free numbers of sequences and of pieces: what the peers on ONNX Runtime run.

    python bench/peers/export_onnx.py --model DIR           # makes DIR/onnx/model.onnx
    python bench/peers/export_onnx.py --model DIR --int8    # and model_quantized.onnx, int8 products

int8 is ONNX Runtime's dynamic quantisation: weights by channel, activations as they come. The layout is that of transformers.js. Attention is exported as plain products and softmax, which ONNX Runtime fuses.
Needs bench/peers/requirements.txt.
"""

import argparse
import os


def main(folder, int8):
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
    if int8:
        from onnxruntime.quantization import QuantType, quantize_dynamic
        out = path.replace('model.onnx', 'model_quantized.onnx')
        # weights of 7 bits: without VNNI it sums pairs of products in 16 bits, where those of 8 bits saturate
        quantize_dynamic(path, out, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', required=True)
    parser.add_argument('--int8', action='store_true')
    parsed = parser.parse_args()
    import torch
    import transformers

    main(parsed.model, parsed.int8)

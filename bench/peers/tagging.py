"""The peer of labelling: logits of a token classifier for every piece of a set of sentences, in PyTorch on the CPU.

    python bench/peers/tagging.py --model DIR --batch 8 --out FILE

DIR holds a model folder and sentences.json, the ids of each sentence. Sentences are sorted by length, batches padded
to their longest. A step is all sentences. The logits of the first pass, of real pieces, sentence by sentence, go to FILE
as f32. Needs bench/peers/requirements.txt.
"""

import argparse
import json
import os


def main(options):
    description = common.begin(options)
    model = common.load(transformers.AlbertForTokenClassification, options.model, 0.0).eval()
    with open(os.path.join(options.model, 'sentences.json'), encoding='utf-8') as file:
        sentences = json.load(file)
    order = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
    batches = []
    for first in range(0, len(order), options.batch):
        chosen = order[first : first + options.batch]
        rows = [sentences[i] for i in chosen]
        even = len({len(row) for row in rows}) == 1
        mask = None if even else common.padded([[1] * len(row) for row in rows], 0)
        batches.append((chosen, common.padded(rows, 0), mask))
    forward = torch.compile(model) if options.compile else model

    def logits():
        with torch.inference_mode(), common.autocast(options):
            return [forward(input_ids=ids, attention_mask=mask).logits.float() for _, ids, mask in batches]

    found = [None] * len(sentences)
    for (chosen, _, _), batch in zip(batches, logits()):
        for i, row in zip(chosen, batch):
            found[i] = row[: len(sentences[i])]
    with open(options.out, 'wb') as file:
        file.write(torch.cat(found).numpy().tobytes())
    common.serve(lambda: logits() and None, options, dict(**description, batch=options.batch))


if __name__ == '__main__':
    import common
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', required=True)
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--out', required=True)
    common.add_arguments(parser)
    parsed = parser.parse_args()
    import torch
    import transformers

    main(parsed)

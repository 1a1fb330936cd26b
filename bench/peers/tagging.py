"""The peer of labelling: logits of a token classifier for every piece of a set of sentences, in PyTorch.

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
    model = common.load(transformers.AlbertForTokenClassification, options.model, 0.0).eval().to(options.device)
    with open(os.path.join(options.model, 'sentences.json'), encoding='utf-8') as file:
        sentences = json.load(file)
    order = sorted(range(len(sentences)), key=lambda i: -len(sentences[i]))
    batches = []
    for first in range(0, len(order), options.batch):
        chosen = order[first : first + options.batch]
        rows = [sentences[i] for i in chosen]
        mask = common.attention_mask(rows)
        batches.append((
            chosen, common.padded(rows, 0).to(options.device), None if mask is None else mask.to(options.device),
        ))

    def logits_of(ids, mask):
        with torch.inference_mode(), common.autocast(options):
            return model(input_ids=ids, attention_mask=mask).logits.float()

    def logits(forward=logits_of):
        return [forward(ids, mask) for _, ids, mask in batches]

    compiled = torch.compile(logits_of, dynamic=True) if options.compile else None
    if options.modes:
        steps = {'eager': logits, 'graph': common.graphed(logits, options)}
        if compiled:
            steps['compiled'] = lambda: logits(compiled)
            steps['compiled-graph'] = common.graphed(steps['compiled'], options)
        steps = {mode: (lambda step: lambda: step() and None)(step) for mode, step in steps.items()}
    else:
        steps = lambda: logits(compiled or logits_of) and None

    found = [None] * len(sentences)
    for (chosen, _, _), batch in zip(batches, [part.cpu() for part in logits()]):
        for i, row in zip(chosen, batch):
            found[i] = row[: len(sentences[i])]
    with open(options.out, 'wb') as file:
        file.write(torch.cat(found).numpy().tobytes())
    common.serve(steps, options, dict(**description, batch=options.batch))


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

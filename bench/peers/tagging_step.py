"""The peer of our fine-tuning step: token classification in PyTorch on the CPU, with padding.

    python bench/peers/tagging_step.py --model DIR --batch 32               # padded to the longest of the batch
    python bench/peers/tagging_step.py --model DIR --batch 32 --length 512  # padded to 512, as the papers' scripts do

DIR holds a model folder and sentences.json: ids and labels of each sentence, -100 where a piece has none. A step takes
the next `batch` sentences, from the first again after the last: forward, backward, clipping to norm 1, AdamW. With
--micro a step is gathered from so many sentences at a time, which less memory suffices for. It says first what the loss
of the first batch is without dropout. Needs bench/peers/requirements.txt.
"""

import argparse
import itertools
import json
import os


def main(options):
    description = common.begin(options)
    model = common.load(transformers.AlbertForTokenClassification, options.model, options.dropout)
    with open(os.path.join(options.model, 'sentences.json'), encoding='utf-8') as file:
        sentences = json.load(file)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, eps=1e-6, weight_decay=0.01, fused=True)
    batches = [sentences[i : i + options.batch] for i in range(0, len(sentences), options.batch)]
    micro = options.micro or options.batch

    def loss_of(rows, count):
        ids = common.padded([row['ids'] for row in rows], 0, options.length)
        mask = common.padded([[1] * len(row['ids']) for row in rows], 0, options.length)
        labels = common.padded([row['labels'] for row in rows], -100, options.length)
        with common.autocast(options):
            logits = model(input_ids=ids, attention_mask=mask).logits
        entropy = torch.nn.functional.cross_entropy
        return entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, reduction='sum') / count

    def gather(batch, each):
        count = sum(label != -100 for row in batch for label in row['labels'])
        total = 0.0
        for first in range(0, len(batch), micro):
            loss = loss_of(batch[first : first + micro], count)
            each(loss)
            total += loss.item()
        return total

    with torch.no_grad():
        model.eval()
        description['first_loss'] = gather(batches[0], lambda loss: None)
    model.train()
    turn = itertools.cycle(batches)

    def step():
        loss = gather(next(turn), lambda loss: loss.backward())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return dict(loss=loss)

    common.serve(step, options, dict(**description, batch=options.batch, micro=micro, length=options.length))


if __name__ == '__main__':
    import common
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', required=True)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--micro', type=int, help='sentences at a time (default: all of the batch)')
    parser.add_argument('--length', type=int, help='pad to so many (default: the longest)')
    parser.add_argument('--dropout', type=float, default=0.1)
    common.add_arguments(parser)
    parsed = parser.parse_args()
    import torch
    import transformers

    main(parsed)

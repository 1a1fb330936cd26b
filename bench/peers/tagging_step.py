"""The peer of our fine-tuning step: token classification in PyTorch, with padding.

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
    model.to(options.device)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-5, eps=1e-6, weight_decay=0.01, fused=True, capturable=options.device == 'cuda',
    )
    micro = options.micro or options.batch

    def tensors(rows):
        mask = common.attention_mask([row['ids'] for row in rows], options.length)
        ids = common.padded([row['ids'] for row in rows], 0, options.length)
        labels = common.padded([row['labels'] for row in rows], -100, options.length)
        return ids.to(options.device), labels.to(options.device), None if mask is None else mask.to(options.device)

    def batch_of(rows):
        count = sum(label != -100 for row in rows for label in row['labels'])
        return [(*tensors(rows[first : first + micro]), count) for first in range(0, len(rows), micro)]

    batches = [batch_of(sentences[i : i + options.batch]) for i in range(0, len(sentences), options.batch)]

    def loss_of(ids, labels, mask, count):
        with common.autocast(options):
            logits = model(input_ids=ids, attention_mask=mask).logits
        entropy = torch.nn.functional.cross_entropy
        return entropy(logits.float().flatten(0, 1), labels.flatten(), ignore_index=-100, reduction='sum') / count

    with torch.no_grad():
        model.eval()
        description['first_loss'] = sum(loss_of(*part).item() for part in batches[0])
    model.train()

    def steps_of(forward):
        """A function for each batch."""
        def step_on(batch):
            def step():
                total = 0.0
                for part in batch:
                    loss = forward(*part)
                    loss.backward()
                    total = total + loss.detach()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                return dict(loss=total)
            return step
        return [step_on(batch) for batch in batches]

    def in_turn(steps):
        turn = itertools.cycle(steps)
        return lambda: next(turn)()

    eager = steps_of(loss_of)
    # lengths differ from batch to batch, so shapes are compiled as unknowns
    compiled = steps_of(torch.compile(loss_of, dynamic=True)) if options.compile else [None] * len(batches)
    if options.modes:
        each = [common.training_modes(*pair, options, masked=True) for pair in zip(eager, compiled)]
        steps = {mode: in_turn([modes[mode] for modes in each]) for mode in each[0]}
    else:
        steps = in_turn(compiled if options.compile else eager)

    common.serve(steps, options, dict(**description, batch=options.batch, micro=micro, length=options.length))


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

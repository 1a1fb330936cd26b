"""Golden files of the heads of fine-tuning: transformers in float64 against which ours are compared.

    python test/golden/heads.py             # writes test/golden/heads/<family>_<kind>.{safetensors,json}

Families are albert and bert; kinds are class, label and score (AlbertForSequenceClassification and BertForSequenceClassification
with each problem_type) and span (AlbertForQuestionAnswering, BertForQuestionAnswering). Losses are those that transformers
computes from `labels` or `start_positions` and `end_positions`. Weights are drawn as in albert.py.

transformers pads the sequences and masks the padding of attention, but its softmax over the positions of an answer runs over
padding too: the loss of `span` is therefore the mean over sequences each of which is alone in a batch.

<family>_<kind>.json: {kind, config: transformers' config, outputs K, examples: [{ids, second: where the second segment begins,
    targets: class | [K numbers] | [first, last] (-1: does not count)}], bfloat16_error}.
    bfloat16_error is how far the same computation of PyTorch in bfloat16 lands from float64: of logits the root of the mean
    square of differences, of gradients the norm of the difference over the norm, all together; over 16 draws of weights and
    ids, as one has too few logits to tell.
<family>_<kind>.safetensors: float64 results rounded to float32. B sequences, N rows, K outputs.
    outputs/logits [B,K], of span [N,2] at the real rows   outputs/loss
    weights/<name>, gradients/<name>   names and shapes of transformers ([out, in])
"""

import json
import pathlib
import re
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import (
    AlbertConfig,
    AlbertForQuestionAnswering,
    AlbertForSequenceClassification,
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
)

import albert

OUT = pathlib.Path(__file__).parent / 'heads'
SEED, DRAWS = 31, 16
LENGTHS, SECONDS = [5, 13, 1, 8, 11], [3, 6, 1, 8, 4]  # the third and fourth have no second segment
PROBLEMS = {'class': 'single_label_classification', 'label': 'multi_label_classification', 'score': 'regression'}
OUTPUTS = {'class': 3, 'label': 4, 'score': 1, 'span': 2}
TARGETS = {
    'class': [2, 0, 2, 1, 0],
    'label': [[1, 0, 0, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [0, 1, 0, 0]],
    'score': [[0.0], [3.5], [-1.25], [4.0], [0.6]],
    'span': [[3, 3], [7, 12], [0, 0], [-1, -1], [0, 0]],
}
COMMON = dict(
    vocab_size=29, hidden_size=15, num_hidden_layers=2, num_attention_heads=3, intermediate_size=22,
    max_position_embeddings=14, layer_norm_eps=1e-12, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    attn_implementation='eager',
)


def make_model(family, kind, generator):
    extra = dict(num_labels=OUTPUTS[kind], problem_type=PROBLEMS.get(kind))
    if family == 'albert':
        config = AlbertConfig(**COMMON, **extra, embedding_size=7, hidden_act='gelu_new', classifier_dropout_prob=0.0)
        make = AlbertForQuestionAnswering if kind == 'span' else AlbertForSequenceClassification
    else:
        config = BertConfig(**COMMON, **extra, hidden_act='gelu', classifier_dropout=0.0)
        make = BertForQuestionAnswering if kind == 'span' else BertForSequenceClassification
    model = make(config).double().eval()
    albert.draw(model, generator)
    return config, model


def make_batch(generator):
    ids = torch.zeros(len(LENGTHS), max(LENGTHS), dtype=torch.long)
    segments, real = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, (length, second) in enumerate(zip(LENGTHS, SECONDS)):
        ids[row, :length] = torch.randint(albert.FIRST_ID, COMMON['vocab_size'], (length,), generator=generator)
        ids[row, 0] = 2
        segments[row, second:length] = 1
        real[row, :length] = 1
    return dict(input_ids=ids, attention_mask=real, token_type_ids=segments)


def forward(kind, model, batch):
    """Logits at what is scored, and the loss of transformers."""
    if kind != 'span':
        dtype = torch.long if kind == 'class' else next(model.parameters()).dtype
        out = model(**batch, labels=torch.tensor(TARGETS[kind], dtype=dtype))
        return out.logits, out.loss
    padded = model(**batch)
    logits = torch.stack([padded.start_logits, padded.end_logits], dim=-1)
    logits = logits[batch['attention_mask'].bool()]
    losses = []
    for row, (start, end) in enumerate(TARGETS['span']):
        if start < 0:
            continue
        alone = {key: value[row : row + 1, : LENGTHS[row]] for key, value in batch.items()}
        out = model(**alone, start_positions=torch.tensor([start]), end_positions=torch.tensor([end]))
        losses.append(out.loss)
    return logits, torch.stack(losses).mean()


def compute(family, kind, dtype, seed=SEED):
    generator = torch.Generator().manual_seed(seed)
    config, model = make_model(family, kind, generator)
    batch = make_batch(generator)
    model = model.to(dtype)
    result = {f'weights/{name}': p.detach().clone() for name, p in model.named_parameters()}
    logits, loss = forward(kind, model, batch)
    loss.backward()
    result.update({'outputs/logits': logits.detach(), 'outputs/loss': loss.detach().reshape(1)})
    for name, p in model.named_parameters():
        result[f'gradients/{name}'] = torch.zeros_like(p) if p.grad is None else p.grad.detach()
    return config, batch, {name: value.double() for name, value in result.items()}


def narrow_error(family, kind):
    squares = dict(logits=[], gradients=[])
    for seed in range(SEED, SEED + DRAWS):
        wide, narrow = (compute(family, kind, dtype, seed)[2] for dtype in (torch.float64, torch.bfloat16))
        squares['logits'].append(((wide['outputs/logits'] - narrow['outputs/logits']) ** 2).mean())
        names = [name for name in wide if name.startswith('gradients/')]
        a, b = (torch.cat([result[name].flatten() for name in names]) for result in (wide, narrow))
        squares['gradients'].append(((a - b).norm() / a.norm()) ** 2)
    return {key: float(torch.stack(values).mean().sqrt()) for key, values in squares.items()}


def write(family, kind):
    config, batch, exact = compute(family, kind, torch.float64)
    error = narrow_error(family, kind)
    name = f'{family}_{kind}'
    OUT.mkdir(exist_ok=True)
    tensors = {key: value.contiguous().numpy().astype(np.float32) for key, value in exact.items()}
    save_file(tensors, OUT / f'{name}.safetensors', metadata={'format': 'pt'})
    (OUT / f'{name}.safetensors').chmod(0o644)
    described = config.to_dict()
    kept = [*COMMON, 'embedding_size', 'type_vocab_size', 'hidden_act', 'classifier_dropout_prob', 'classifier_dropout',
            'model_type', 'problem_type', 'id2label']
    summary = dict(
        kind=kind,
        config={key: described[key] for key in kept if described.get(key) is not None},
        outputs=OUTPUTS[kind],
        examples=[
            dict(ids=ids[:length].tolist(), second=second, targets=targets)
            for ids, length, second, targets in zip(batch['input_ids'], LENGTHS, SECONDS, TARGETS[kind])
        ],
        bfloat16_error={key: float(f'{value:.3g}') for key, value in error.items()},
    )
    text = re.sub(r'\[\s+([^][{}]*?)\s+\]', lambda m: '[' + re.sub(r'\s+', ' ', m[1]) + ']', json.dumps(summary, indent=2))
    (OUT / f'{name}.json').write_text(text + '\n')
    print(name, (OUT / f'{name}.safetensors').stat().st_size, 'bytes, loss', float(exact['outputs/loss']), error,
          'largest logit', float(exact['outputs/logits'].abs().max()), file=sys.stderr)


if __name__ == '__main__':
    torch.set_num_threads(1)
    for family in ('albert', 'bert'):
        for kind in OUTPUTS:
            write(family, kind)

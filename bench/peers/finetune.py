"""The peer of whole fine-tuning runs: what a run of ours has prepared, computed in PyTorch with padding to the longest of a batch.

    python bench/peers/finetune.py --run DIR

DIR, which bench/support/finetune_export.ts writes, holds model/ (the weights of the start, classifier included), settings.json,
order.json (the examples of every step) and train.jsonl, dev.jsonl, test.jsonl: ids, where the second segment begins, scored
positions, targets and weight of each example. So data, pieces, order, schedule, optimizer and starting weights are ours; the
masks of dropout are PyTorch's, seeded with settings.json's seed.

Protocol: one JSON line that describes the run, with the loss of the first step without dropout; then a JSON line for each line on
stdin: "train N" goes on to N updates in all, "logits SPLIT FILE" writes those of all scored rows one after the other as raw
float32, "keep" remembers the weights and "recall" takes them back. End of input ends the process.
Needs bench/peers/requirements.txt.
"""

import argparse
import json
import os
import re
import sys
import time

# weights that the original BERT and ALBERT do not decay
UNDECAYED = re.compile(r'bias$|LayerNorm|layer_norm')
# so many updates that 1 - beta^t is 1, which leaves AdamW without bias correction, as the original is
NO_CORRECTION = 1e6


def class_loss(picked, batch):
    """A sum, as all of them, over scored rows: `picked` [scored, K]."""
    return torch.nn.functional.cross_entropy(picked, batch['targets'], ignore_index=-100, reduction='sum')


def label_loss(picked, batch):
    entropy = torch.nn.functional.binary_cross_entropy_with_logits
    return entropy(picked, batch['targets'].view_as(picked), reduction='sum')


def score_loss(picked, batch):
    return torch.nn.functional.mse_loss(picked, batch['targets'].view_as(picked), reduction='sum')


def span_loss(logits, batch):
    """logits [B, S, 2] against the first and last piece [B, 2]; padding is none of the choices."""
    seen = logits.masked_fill(~batch['real'][:, :, None], float('-inf'))
    targets = batch['targets'].view(-1, 2)
    return torch.nn.functional.cross_entropy(seen, targets, ignore_index=-100, reduction='sum')


LOSSES = dict(
    single_label_classification=class_loss, multi_label_classification=label_loss, regression=score_loss, spans=span_loss,
)


def loss_kind(settings):
    if settings['head'] == 'QuestionAnswering':
        return 'spans'
    return settings['problem_type'] or 'single_label_classification'


def load_model(folder, settings):
    common.plain_masks()
    with open(os.path.join(folder, 'config.json'), encoding='utf-8') as file:
        config = json.load(file)
    family = dict(albert='Albert', bert='Bert')[config['model_type']]
    kind = getattr(transformers, f'{family}For{settings["head"]}')
    # the same formula, in one kernel
    act = dict(gelu_new='gelu_pytorch_tanh').get(config['hidden_act'], config['hidden_act'])
    model, said = kind.from_pretrained(
        folder, hidden_act=act, attn_implementation='sdpa', output_loading_info=True, num_labels=settings['outputs'],
    )
    for what in ('missing_keys', 'unexpected_keys', 'mismatched_keys'):
        if said[what]:
            sys.exit(f'{folder}: {what.replace("_", " ")} {sorted(said[what])}, expected none')
    return model


def keep_head_exact(model):
    """Autocast would round logits to bf16, where labels of a model that has learnt little come to one number: the head stays in f32."""
    head = model.qa_outputs if hasattr(model, 'qa_outputs') else model.classifier
    product = head.forward

    def forward(hidden):
        with torch.autocast(hidden.device.type, enabled=False):
            return product(hidden.float())

    head.forward = forward


def make_optimizer(model, settings):
    groups = {True: [], False: []}
    for name, weight in model.named_parameters():
        groups[UNDECAYED.search(name) is None].append(weight)
    optimizer = torch.optim.AdamW(
        [dict(params=groups[True], weight_decay=settings['weight_decay']), dict(params=groups[False], weight_decay=0.0)],
        lr=0.0, betas=(settings['beta1'], settings['beta2']), eps=settings['eps'], fused=True,
    )
    if not settings['bias_correction']:
        for weight in model.parameters():
            optimizer.state[weight] = dict(
                step=torch.tensor(NO_CORRECTION, device=weight.device),
                exp_avg=torch.zeros_like(weight), exp_avg_sq=torch.zeros_like(weight),
            )
    return optimizer


def learning_rate(settings, step):
    """Of the update that follows `step` others: linear warm-up, then a line from the peak at step 0 to zero at the end."""
    peak, warmup, total = settings['learning_rate'], settings['warmup'], settings['total_steps']
    return peak * step / warmup if step < warmup else peak * max(0.0, 1 - step / total)


def read_examples(file, numbers):
    """Lists of tensors: a line is taken apart once."""
    examples = []
    with open(file, encoding='utf-8') as lines:
        for line in lines:
            one = json.loads(line)
            ids = torch.tensor(one['ids'])
            second = one.get('second', len(ids))
            targets = torch.tensor(one.get('targets', []), dtype=torch.float32 if numbers else torch.long)
            if not numbers:
                targets[targets < 0] = -100
            examples.append(dict(
                ids=ids, segments=(torch.arange(len(ids)) >= second).long(), scored=torch.tensor(one['scored']),
                targets=targets, weight=one['weight'],
            ))
    return examples


def collate(examples, device):
    """Padded to the longest; `rows` are the scored rows of [B * S]."""
    def pad(name):
        return torch.nn.utils.rnn.pad_sequence([one[name] for one in examples], batch_first=True)

    lengths = torch.tensor([len(one['ids']) for one in examples])
    longest = int(lengths.max())
    real = torch.arange(longest)[None, :] < lengths[:, None]
    mask = None if bool(real.all()) else real[:, None, None, :].expand(-1, 1, longest, -1)
    batch = dict(
        ids=pad('ids'), segments=pad('segments'), mask=mask, real=real,
        rows=torch.cat([b * longest + one['scored'] for b, one in enumerate(examples)]),
        sequences=torch.repeat_interleave(torch.tensor([len(one['scored']) for one in examples])),
        targets=torch.cat([one['targets'] for one in examples]),
    )
    return {name: None if tensor is None else tensor.to(device) for name, tensor in batch.items()}


class Run:
    def __init__(self, options):
        def read(name):
            with open(os.path.join(options.run, name), encoding='utf-8') as file:
                return json.load(file)

        self.options = options
        self.settings = read('settings.json')
        self.order = read('order.json')
        self.kind = loss_kind(self.settings)
        numbers = self.kind in ('multi_label_classification', 'regression')
        self.parts = {
            split: read_examples(os.path.join(options.run, f'{split}.jsonl'), numbers)
            for split in ('train', 'dev', 'test')
        }
        self.model = load_model(os.path.join(options.run, 'model'), self.settings).to(options.device)
        keep_head_exact(self.model)
        self.optimizer = make_optimizer(self.model, self.settings)
        # lengths differ from batch to batch, so shapes are compiled as unknowns
        self.forward = torch.compile(self.encode, dynamic=True) if options.compile else self.encode
        self.done = 0
        self.kept = None
        torch.manual_seed(self.settings['seed'])

    def encode(self, ids, segments, mask):
        with common.autocast(self.options):
            found = self.model(input_ids=ids, token_type_ids=segments, attention_mask=mask)
        if self.kind == 'spans':
            return torch.stack((found.start_logits, found.end_logits), -1)
        return found.logits

    def logits(self, batch):
        return self.forward(batch['ids'], batch['segments'], batch['mask'])

    def picked(self, logits, batch):
        """[scored, K]; a head on the pooled vector has a row for each sequence already."""
        return logits[batch['sequences']] if logits.dim() == 2 else logits.flatten(0, 1)[batch['rows']]

    def loss(self, batch):
        logits = self.logits(batch)
        return LOSSES[self.kind](logits if self.kind == 'spans' else self.picked(logits, batch), batch)

    def micro_batches(self, step):
        """Of one step, and the weight that their losses are divided by."""
        chosen = [self.parts['train'][e] for e in self.order[step]]
        size = self.options.micro or len(chosen)
        return [chosen[i : i + size] for i in range(0, len(chosen), size)], sum(one['weight'] for one in chosen)

    def step(self):
        """One update; the loss as a tensor, and pieces of it, real ones and with padding."""
        parts, weight = self.micro_batches(self.done)
        total, pieces, padded = 0.0, 0, 0
        for part in parts:
            batch = collate(part, self.options.device)
            loss = self.loss(batch) / weight
            loss.backward()
            total = total + loss.detach()
            pieces += sum(len(one['ids']) for one in part)
            padded += batch['ids'].numel()
        if self.settings['clip'] > 0:
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings['clip'], foreach=True)
        for group in self.optimizer.param_groups:
            group['lr'] = learning_rate(self.settings, self.done)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.done += 1
        return total, pieces, padded

    def train(self, until):
        self.model.train()
        begun = time.perf_counter()
        steps = [self.step() for _ in range(self.done, min(int(until), len(self.order)))]
        losses = [float(loss) for loss, _, _ in steps]
        seconds = time.perf_counter() - begun
        return dict(
            step=self.done, losses=losses, seconds=seconds, pieces=sum(n for _, n, _ in steps),
            padded=sum(n for _, _, n in steps),
        )

    def first_loss(self):
        self.model.eval()
        parts, weight = self.micro_batches(0)
        with torch.no_grad():
            return sum(float(self.loss(collate(part, self.options.device))) for part in parts) / weight

    def write_logits(self, split, file):
        """Sequences of like length together, so that little is padded."""
        self.model.eval()
        begun = time.perf_counter()
        examples = self.parts[split]
        order = sorted(range(len(examples)), key=lambda e: -len(examples[e]['ids']))
        found = [None] * len(examples)
        for first in range(0, len(order), EVALUATED):
            chosen = order[first : first + EVALUATED]
            batch = collate([examples[e] for e in chosen], self.options.device)
            with torch.inference_mode():
                rows = self.picked(self.logits(batch), batch).cpu()
            for e, part in zip(chosen, rows.split([len(examples[e]['scored']) for e in chosen])):
                found[e] = part
        torch.cat(found).numpy().tofile(file)
        return dict(seconds=time.perf_counter() - begun, pieces=sum(len(one['ids']) for one in examples))

    def keep(self):
        self.kept = {name: tensor.clone() for name, tensor in self.model.state_dict().items()}
        return {}

    def recall(self):
        self.model.load_state_dict(self.kept)
        return {}


# sequences of a batch that is only looked at
EVALUATED = 32


def main(options):
    description = common.begin(options)
    run = Run(options)
    commands = dict(train=run.train, logits=run.write_logits, keep=run.keep, recall=run.recall)
    description.update(peer='PyTorch', transformers=transformers.__version__, micro=options.micro, first_loss=run.first_loss())
    print(json.dumps(description), flush=True)
    for line in sys.stdin:
        # a file's name may have spaces in it
        word, *rest = line.rstrip('\n').split(' ', 2)
        if word not in commands:
            sys.exit(f'{sys.argv[0]}: found {line.strip()!r}, expected one of {list(commands)}')
        print(json.dumps(commands[word](*rest)), flush=True)


if __name__ == '__main__':
    import common
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--run', required=True)
    parser.add_argument('--micro', type=int, help='sequences at a time (default: all of the batch)')
    common.add_arguments(parser)
    parsed = parser.parse_args()
    import torch
    import transformers

    main(parsed)

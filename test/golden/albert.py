"""Golden files of ALBERT: transformers in float64 against which our model is compared.

    python test/golden/albert.py            # writes test/golden/albert/<case>.{safetensors,json}

The model, its loss and its gradients come from PyTorch and transformers; LAMB and AdamW are written here
in plain float64 after the papers. Weights are drawn, rounded to float32 and then widened, so that both
sides start from the same numbers; every stored float is the float64 result rounded to float32.

<case>.json: {kind: "pretraining" | "token_classification", config: transformers' config,
    batch: {sequences B, rows N, masked M, longest S}, optimizer: {...}, float32_error: {...}}.
    float32_error is how far the same computation in float32 PyTorch lands from the stored numbers
    (largest absolute difference), a guide for tolerances.
<case>.safetensors: float32 and int32. Letters: B sequences, N rows, M masked rows, H hidden, V vocabulary,
    C classes. transformers pads the sequences and masks the padding; only the real rows are stored, in order.
    batch/input_ids [N]  batch/segment_ids [N]  batch/position_ids [N]  batch/cu_seqlens [B + 1]
    pretraining:
        batch/masked_rows [M]  (index into the N rows)   batch/masked_labels [M]   batch/sop_labels [B]
        outputs/pooled [B, H]  outputs/mlm_logits [M, V]  outputs/sop_logits [B, 2]
        outputs/mlm_loss, outputs/sop_loss  (sum of CE over (M + 1e-5); mean CE)   outputs/loss (their sum)
    token_classification:
        batch/labels [N]  (-100: not scored)   outputs/logits [N, C]   outputs/loss  (mean CE of scored rows)
    both:
        outputs/embedded [N, H]  (after the E -> H mapping; absent where weights_stored is false)   outputs/hidden [N, H]  (last layer)
        weights/<name>, gradients/<name>   names and shapes of transformers ([out, in]), tied weights once;
            gradients are of outputs/loss, not clipped. The true gradient of key biases is 0 and the
            gradient of rows never met is 0: compare with an absolute tolerance.
        lamb/lr [10]  lamb/losses [10] (before each step)  lamb/grad_norms [10] (before clipping)
        lamb/weights/<name>  after the tenth step (absent where optimizer.weights_stored is false)
        adamw/...            likewise

bert.py does the same for BERT: its cases bring `make_model`, `forward` and, in `stored`, the optimizers whose weights
are kept.
"""

import json
import pathlib
import re
import sys

import numpy as np
import torch
from safetensors.numpy import save_file
from transformers import AlbertConfig, AlbertForPreTraining, AlbertForTokenClassification

OUT = pathlib.Path(__file__).parent / 'albert'
STEPS, WARM_UP, TOTAL = 10, 3, 12
BETA1, BETA2, EPS, DECAY, CLIP = 0.9, 0.999, 1e-6, 0.01, 1.0
FIRST_ID = 5  # below are <pad> <unk> [CLS] [SEP] [MASK]
IGNORED = -100

CASES = {
    'pretraining': dict(
        kind='pretraining', seed=11, lengths=[16, 1, 7, 11], masked=[3, 0, 1, 2], E=12, H=24, A=3, I=40, L=3, V=47, P=16
    ),
    'pretraining_one_head': dict(
        kind='pretraining', seed=12, lengths=[1, 9, 5], masked=[1, 2, 1], E=8, H=20, A=1, I=36, L=1, V=41, P=12
    ),
    'pretraining_full_d64': dict(
        kind='pretraining', seed=13, lengths=[10, 10], masked=[3, 2], E=5, H=64, A=1, I=6, L=3, V=57, P=10, store=False
    ),
    'token_classification': dict(
        kind='token_classification', seed=14, lengths=[7, 18, 3, 1, 12], E=16, H=32, A=4, I=44, L=2, V=53, P=20, C=5
    ),
    'token_classification_odd': dict(
        kind='token_classification', seed=15, lengths=[13, 2, 24], E=33, H=17, A=1, I=29, L=3, V=59, P=27, C=3
    ),
}


def excluded(name):
    """True for what neither decays nor is adapted: layernorm weights and all biases."""
    lowered = name.lower()
    return lowered.endswith('bias') or 'layernorm' in lowered or 'layer_norm' in lowered


def learning_rate(step, peak):
    return peak * step / WARM_UP if step < WARM_UP else peak * (1 - step / TOTAL)


def draw(model, generator):
    """Weights that float32 holds, none of them where training would start."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            gain = name.endswith('weight') and excluded(name)
            scale = 0.1 if parameter.dim() == 1 else 0.6 / parameter.shape[1] ** 0.5
            parameter.copy_((noise * scale + (1.0 if gain else 0.0)).float().double())


def make_model(case, generator):
    config = AlbertConfig(
        vocab_size=case['V'], embedding_size=case['E'], hidden_size=case['H'], num_hidden_layers=case['L'],
        num_attention_heads=case['A'], intermediate_size=case['I'], max_position_embeddings=case['P'],
        hidden_act='gelu_new', layer_norm_eps=1e-12, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0, num_labels=case.get('C', 2), attn_implementation='eager',
    )
    pretraining = case['kind'] == 'pretraining'
    model = (AlbertForPreTraining if pretraining else AlbertForTokenClassification)(config).double().eval()
    draw(model, generator)
    return config, model


def make_batch(case, generator):
    def integers(low, high, count):
        return torch.randint(low, high, (count,), generator=generator)

    lengths, vocabulary = case['lengths'], case['V']
    width = max(lengths)
    ids = torch.zeros(len(lengths), width, dtype=torch.long)
    segments = torch.zeros_like(ids)
    real = torch.zeros_like(ids)
    for row, length in enumerate(lengths):
        ids[row, :length] = integers(FIRST_ID, vocabulary, length)
        ids[row, 0] = 2
        if length > 1:
            ids[row, length - 1] = 3
        segments[row, (length + 1) // 2 : length] = 1
        real[row, :length] = 1
    batch = dict(ids=ids, segments=segments, real=real, rows=real.flatten().nonzero().flatten())
    if case['kind'] == 'pretraining':
        starts = np.concatenate([[0], np.cumsum(lengths)])
        masked, labels = [], []
        for row, count in enumerate(case['masked']):
            places = torch.randperm(lengths[row], generator=generator)[:count].sort().values
            for n, place in enumerate(places.tolist()):
                masked.append(int(starts[row]) + place)
                labels.append(int(ids[row, place]) if place else int(integers(FIRST_ID, vocabulary, 1)))
                if n % 2 == 0:
                    ids[row, place] = 4
        batch.update(
            masked=torch.tensor(masked), labels=torch.tensor(labels), sop=integers(0, 2, len(lengths))
        )
    else:
        labels = integers(0, case['C'], int(real.sum()))
        unscored = torch.rand(labels.shape, generator=generator) < 0.3
        labels[unscored] = IGNORED
        batch.update(labels=labels)
    return batch


def forward(case, model, batch):
    """The outputs at the real rows, and the loss under its own key."""
    encoded = model.albert(
        input_ids=batch['ids'], attention_mask=batch['real'], token_type_ids=batch['segments'], output_hidden_states=True
    )

    def real_rows(padded):
        return padded.flatten(0, 1)[batch['rows']]

    hidden = real_rows(encoded.last_hidden_state)
    out = dict(embedded=real_rows(encoded.hidden_states[0]), hidden=hidden)
    entropy = torch.nn.functional.cross_entropy
    if case['kind'] == 'pretraining':
        out['pooled'] = encoded.pooler_output
        out['mlm_logits'] = model.predictions(hidden[batch['masked']])
        out['sop_logits'] = model.sop_classifier(encoded.pooler_output)
        count = len(batch['labels'])
        out['mlm_loss'] = entropy(out['mlm_logits'], batch['labels'], reduction='sum') / (count + 1e-5)
        out['sop_loss'] = entropy(out['sop_logits'], batch['sop'])
        out['loss'] = out['mlm_loss'] + out['sop_loss']
    else:
        out['logits'] = model.classifier(hidden)
        out['loss'] = entropy(out['logits'], batch['labels'], ignore_index=IGNORED)
    return out


def gradients(case, model, batch):
    model.zero_grad(set_to_none=True)
    out = case.get('forward', forward)(case, model, batch)
    out['loss'].backward()
    grads = {
        name: torch.zeros_like(p) if p.grad is None else p.grad.detach().clone()
        for name, p in model.named_parameters()
    }
    return out, grads


def optimize(case, model, batch, adapt, rates):
    """Ten steps of LAMB (adapt) or of the original AdamW (not adapt)."""
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in model.named_parameters()}
    losses, norms = [], []
    for rate in rates:
        out, grads = gradients(case, model, batch)
        norm = sum(float((g.double() ** 2).sum()) for g in grads.values()) ** 0.5
        losses.append(out['loss'].item())
        norms.append(norm)
        with torch.no_grad():
            for name, p in model.named_parameters():
                m, v = moments[name]
                g = grads[name] * (CLIP / max(norm, CLIP))
                m.mul_(BETA1).add_(g, alpha=1 - BETA1)
                v.mul_(BETA2).add_(g * g, alpha=1 - BETA2)
                update = m / (v.sqrt() + EPS)
                ratio = 1.0
                if not excluded(name):
                    update = update + DECAY * p
                    weight_norm, update_norm = p.norm().item(), update.norm().item()
                    if adapt and weight_norm > 0 and update_norm > 0:
                        ratio = weight_norm / update_norm
                p.sub_(rate * ratio * update)
    return losses, norms, {name: p.detach().clone() for name, p in model.named_parameters()}


def compute(case, dtype):
    generator = torch.Generator().manual_seed(case['seed'])
    config, model = case.get('make_model', make_model)(case, generator)
    batch = make_batch(case, generator)
    model = model.to(dtype)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    out, grads = gradients(case, model, batch)
    result = {f'weights/{n}': t for n, t in start.items()}
    result.update({f'outputs/{n}': t.detach() for n, t in out.items()})
    result.update({f'gradients/{n}': t for n, t in grads.items()})
    for optimizer, peak in (('lamb', 0.02), ('adamw', 0.002)):
        with torch.no_grad():
            for name, p in model.named_parameters():
                p.copy_(start[name])
        rates = [float(np.float32(learning_rate(step, peak))) for step in range(STEPS)]
        losses, norms, final = optimize(case, model, batch, optimizer == 'lamb', rates)
        for key, values in (('lr', rates), ('losses', losses), ('grad_norms', norms)):
            result[f'{optimizer}/{key}'] = torch.tensor(values, dtype=torch.float64)
        if case.get('store', True) and optimizer in case.get('stored', ('lamb', 'adamw')):  # else the file would pass 200 KB
            result.update({f'{optimizer}/weights/{n}': t for n, t in final.items()})
    if not case.get('store', True):
        del result['outputs/embedded']
    return config, batch, result


def write(name, case, folder=OUT):
    config, batch, exact = compute(case, torch.float64)
    _, _, single = compute(case, torch.float32)
    error = {}
    for key, value in exact.items():
        group = '/'.join(key.split('/')[:2]) if key.split('/')[0] in ('lamb', 'adamw', 'outputs') else key.split('/')[0]
        worst = float((value.double() - single[key].double()).abs().max())
        error[group] = max(error.get(group, 0.0), float(f'{worst:.2g}'))
    tensors = {key: value.contiguous().numpy().astype(np.float32) for key, value in exact.items()}
    width = batch['ids'].shape[1]
    integers = dict(
        input_ids=batch['ids'].flatten()[batch['rows']],
        segment_ids=batch['segments'].flatten()[batch['rows']],
        position_ids=batch['rows'] % width,
        cu_seqlens=np.concatenate([[0], np.cumsum(case['lengths'])]),
    )
    if case['kind'] == 'pretraining':
        integers.update(masked_rows=batch['masked'], masked_labels=batch['labels'], sop_labels=batch['sop'])
    else:
        integers.update(labels=batch['labels'])
    tensors.update({f'batch/{key}': np.asarray(value, dtype=np.int32) for key, value in integers.items()})
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / f'{name}.safetensors', metadata={'format': 'pt'})
    (folder / f'{name}.safetensors').chmod(0o644)
    kept = ('vocab_size', 'embedding_size', 'hidden_size', 'num_hidden_layers', 'num_hidden_groups', 'inner_group_num',
            'num_attention_heads', 'intermediate_size', 'max_position_embeddings', 'type_vocab_size', 'hidden_act',
            'layer_norm_eps', 'hidden_dropout_prob', 'attention_probs_dropout_prob', 'classifier_dropout_prob',
            'classifier_dropout', 'pad_token_id', 'bos_token_id', 'eos_token_id', 'model_type')
    described = config.to_dict()
    summary = dict(
        kind=case['kind'],
        config={key: described[key] for key in kept if key in described} | {'num_labels': config.num_labels},
        batch=dict(sequences=len(case['lengths']), rows=sum(case['lengths']), longest=width,
                   masked=len(integers.get('masked_rows', []))),
        optimizer=dict(steps=STEPS, warmup=WARM_UP, total=TOTAL, beta1=BETA1, beta2=BETA2, eps=EPS, decay=DECAY,
                       clip=CLIP, lamb_peak=0.02, adamw_peak=0.002, weights_stored=case.get('store', True)),
        float32_error=error,
    )
    (folder / f'{name}.json').write_text(re.sub(r'e-0(\d)', r'e-\1', json.dumps(summary, indent=2)) + '\n')
    losses = exact['lamb/losses'].tolist()
    print(name, (folder / f'{name}.safetensors').stat().st_size, 'bytes', [round(x, 3) for x in losses],
          [round(x, 2) for x in exact['lamb/grad_norms'].tolist()],
          [round(x, 3) for x in exact['adamw/losses'].tolist()], error, file=sys.stderr)


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name, case in CASES.items():
        write(name, case)

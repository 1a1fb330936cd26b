"""Golden folders of models as transformers and PyTorch write them, with what transformers computes from them.

    python test/golden/pretrained.py        # writes test/golden/pretrained/<case>/ and test/golden/pretrained/cases.json

Every folder has config.json and weights: in one safetensors file or several with an index (save_pretrained), or in pytorch_model.bin
of torch.save in its zip form or the one before it, whole or cut in two with an index. Weights are drawn, then rounded to the type
that they are stored in.

tensors.bin and tensors_legacy.bin are no models: views of shared storages, of every type of elements, and what training scripts
keep beside a state dict; tensors.json has their values.

cases.json: {case: {architecture, dtype, sequences: [{ids, second: where the second segment begins}], outputs: {name: numbers}}}.
    Outputs are of the float64 computation with the stored weights, of the real rows, sequence after sequence: hidden [N,H]
    where there is no head, mlm_logits [N,V], pair_logits [B,2], logits ([N,K] of tokens and spans, [B,K] of sequences).
"""

import collections
import json
import pathlib
import shutil

import torch
import transformers
from transformers import AlbertConfig, BertConfig

import albert

OUT = pathlib.Path(__file__).parent / 'pretrained'
LENGTHS, SECONDS = [4, 6, 1], [2, 6, 1]
COMMON = dict(
    vocab_size=19, hidden_size=8, num_hidden_layers=2, num_attention_heads=2, intermediate_size=12, max_position_embeddings=8,
    hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, attn_implementation='eager',
)
ONE_LAYER = dict(num_hidden_layers=1)
LABELS = dict(id2label={0: 'O', 1: 'B-Gene', 2: 'I-Gene'}, label2id={'O': 0, 'B-Gene': 1, 'I-Gene': 2})

# case: class, type of elements, how it is written, more of the configuration
CASES = {
    'albert_pretraining_sharded': ('AlbertForPreTraining', 'float32', 'safetensors in several files', {}),
    'bert_masked_zip': ('BertForMaskedLM', 'float32', 'zip', ONE_LAYER),
    'bert_pretraining_legacy': ('BertForPreTraining', 'float16', 'legacy', ONE_LAYER),
    'bert_token_legacy': ('BertForTokenClassification', 'bfloat16', 'legacy', LABELS),
    'albert_token_double': ('AlbertForTokenClassification', 'float64', 'safetensors', LABELS),
    'albert_sequence_bfloat16': ('AlbertForSequenceClassification', 'bfloat16', 'safetensors', {}),
    'bert_sequence_half': (
        'BertForSequenceClassification', 'float16', 'zip in two files', dict(ONE_LAYER, problem_type='regression', num_labels=1)
    ),
    'bert_span_double': ('BertForQuestionAnswering', 'float64', 'legacy in two files', ONE_LAYER),
    'albert_span_half': ('AlbertForQuestionAnswering', 'float16', 'legacy', {}),
    'bert_parallel': ('BertModel', 'float16', 'zip of DataParallel', ONE_LAYER),
    'albert_decoder_only': ('AlbertForMaskedLM', 'bfloat16', 'zip without embeddings', {}),
}


def make_model(name, dtype, more, generator):
    if name.startswith('Albert'):
        config = AlbertConfig(**{**COMMON, **more}, embedding_size=4, classifier_dropout_prob=0.0)
    else:
        config = BertConfig(**{**COMMON, **more})
    model = getattr(transformers, name)(config).double().eval()
    albert.draw(model, generator)
    return config, model.to(getattr(torch, dtype))


def state_dict(model, how):
    """As torch.save gets it; what is tied shares a storage."""
    state = model.state_dict()
    if 'DataParallel' in how:
        state = collections.OrderedDict(('module.' + name, tensor) for name, tensor in state.items())
    if 'without embeddings' in how:
        del state['albert.embeddings.word_embeddings.weight']
    return state


def write(model, how, folder):
    if how == 'safetensors':
        model.save_pretrained(folder)
        return
    if how == 'safetensors in several files':
        model.save_pretrained(folder, max_shard_size='1KB')
        return
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(folder)
    state = state_dict(model, how)
    form = dict(_use_new_zipfile_serialization='zip' in how)
    if 'in two files' not in how:
        torch.save(state, folder / 'pytorch_model.bin', **form)
        return
    names = list(state)
    parts = [names[: len(names) // 2], names[len(names) // 2 :]]
    places = {}
    for i, part in enumerate(parts):
        file = f'pytorch_model-{i + 1:05}-of-00002.bin'
        torch.save(collections.OrderedDict((name, state[name]) for name in part), folder / file, **form)
        places.update({name: file for name in part})
    total = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    index = {'metadata': {'total_size': total}, 'weight_map': places}
    (folder / 'pytorch_model.bin.index.json').write_text(json.dumps(index, indent=2) + '\n')


def compute(model, sequences):
    found = collections.defaultdict(list)
    for one in sequences:
        ids = torch.tensor([one['ids']])
        segments = (torch.arange(ids.shape[1]) >= one['second']).long()[None]
        with torch.no_grad():
            out = model(input_ids=ids, token_type_ids=segments, output_hidden_states=True)
        if hasattr(out, 'prediction_logits'):
            found['mlm_logits'].append(out.prediction_logits[0])
            pairs = out.sop_logits if hasattr(out, 'sop_logits') else out.seq_relationship_logits
            found['pair_logits'].append(pairs)
        elif hasattr(out, 'start_logits'):
            found['logits'].append(torch.stack([out.start_logits[0], out.end_logits[0]], dim=-1))
        elif hasattr(out, 'logits'):
            name = 'mlm_logits' if 'MaskedLM' in type(model).__name__ else 'logits'
            found[name].append(out.logits[0] if out.logits.dim() == 3 else out.logits)
        else:
            found['hidden'].append(out.last_hidden_state[0])
    return {name: numbers(torch.cat(parts)) for name, parts in found.items()}


def numbers(tensor):
    return [float(f'{x:.9g}') for x in tensor.double().flatten().tolist()]


def write_tensors():
    """Views and types that a state dict of a model has none of."""
    base = torch.arange(12.0).reshape(3, 4) - 2.5
    state = collections.OrderedDict(
        base=base, tied=base, transposed=base.t(), cut=base[1:, 1:3], expanded=torch.tensor([5.0]).expand(3, 2),
        parameter=torch.nn.Parameter(base.clone()), half=base.half(), bfloat16=base.bfloat16(), double=base.double() / 3,
        long=torch.arange(-2, 3), int=torch.arange(3, dtype=torch.int32), byte=torch.arange(3, dtype=torch.uint8),
        bool=torch.tensor([True, False]), scalar=torch.tensor(7.0), empty=torch.zeros(0, 3),
        permuted=torch.arange(24.0).reshape(2, 3, 4).permute(2, 0, 1),
    )
    values = {
        name: {'shape': list(tensor.shape), 'values': tensor.contiguous().flatten().double().tolist()}
        for name, tensor in state.items()
    }
    whole = {'state_dict': state, 'epoch': 3, 'loss': 0.25, 'arguments': ['a', ('b', None, True)], 'big': 2**40}
    torch.save(whole, OUT / 'tensors.bin')
    torch.save(state, OUT / 'tensors_legacy.bin', _use_new_zipfile_serialization=False)
    torch.save(state, OUT / 'tensors_protocol4.bin', pickle_protocol=4)
    (OUT / 'tensors.json').write_text(json.dumps(values) + '\n')


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    generator = torch.Generator().manual_seed(41)
    cases = {}
    for case, (name, dtype, how, more) in CASES.items():
        config, model = make_model(name, dtype, more, generator)
        sequences = []
        for length, second in zip(LENGTHS, SECONDS):
            ids = torch.randint(albert.FIRST_ID, COMMON['vocab_size'], (length,), generator=generator)
            sequences.append(dict(ids=ids.tolist(), second=second))
        folder = OUT / case
        folder.mkdir(parents=True)
        write(model, how, folder)
        outputs = compute(model.double(), sequences)
        cases[case] = dict(architecture=name, dtype=dtype, sequences=sequences, outputs=outputs)
    write_tensors()
    text = ',\n'.join(f'{json.dumps(case)}: {json.dumps(value)}' for case, value in cases.items())
    (OUT / 'cases.json').write_text('{' + text + '}\n')


if __name__ == '__main__':
    main()

"""What transformers computes for a model folder that was exported: asked by test/model/hub_folder.test.ts, writes no golden file.

    python test/golden/load_exported.py FOLDER... < sequences.json

Standard input is {sequences: [{ids, second}], text}. Each folder is loaded by the class that its config.json names, and by
AutoTokenizer. The last line of standard output is {folder: {class, dtype, missing, unexpected: names of tensors, outputs: {name:
[numbers]}, tokens: pieces of the text, labels: id2label, found: what pipeline(...) finds in the text, for a token classifier}}.
Outputs with a row for each piece are those of the real pieces, one sequence after the other.
"""

import json
import sys

import numpy as np
import torch
import transformers

BY_TEXT = {'pooler_output', 'sop_logits', 'seq_relationship_logits'}


def batch(sequences):
    longest = max(len(one['ids']) for one in sequences) + 2
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask, segments = torch.zeros_like(ids), torch.zeros_like(ids)
    for row, one in enumerate(sequences):
        n = len(one['ids'])
        ids[row, :n] = torch.tensor(one['ids'])
        mask[row, :n] = 1
        if one.get('second') is not None:
            segments[row, one['second'] : n] = 1
    return dict(input_ids=ids, attention_mask=mask, token_type_ids=segments)


def load(folder, asked):
    config = transformers.AutoConfig.from_pretrained(folder)
    [architecture] = config.architectures
    model, info = getattr(transformers, architecture).from_pretrained(folder, output_loading_info=True)
    model.eval()
    inputs = batch(asked['sequences'])
    with torch.no_grad():
        results = model(**inputs)
    outputs = {}
    for name, value in results.items():
        if value is None:
            continue
        by_text = name in BY_TEXT or architecture.endswith('SequenceClassification')
        rows = value if by_text else value[inputs['attention_mask'].bool()]
        outputs[name] = rows.double().flatten().tolist()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    found = None
    if architecture.endswith('TokenClassification'):
        tagger = transformers.pipeline('token-classification', model=folder, aggregation_strategy='simple')
        found = [{key: one[key] for key in ('entity_group', 'word', 'start', 'end')} for one in tagger(asked['text'])]
    return {
        'class': type(model).__name__,
        'dtype': str(model.dtype),
        'missing': sorted(info['missing_keys']),
        'unexpected': sorted(info['unexpected_keys']),
        'outputs': outputs,
        'tokens': tokenizer.convert_ids_to_tokens(tokenizer(asked['text'])['input_ids']),
        'labels': config.id2label,
        'found': found,
    }


if __name__ == '__main__':
    torch.set_num_threads(1)
    asked = json.load(sys.stdin)
    answers = {folder: load(folder, asked) for folder in sys.argv[1:]}
    print(json.dumps(answers, default=lambda value: np.asarray(value).tolist()))

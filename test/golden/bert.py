"""Golden files of BERT: transformers in float64 against which our model is compared.

    python test/golden/bert.py              # writes test/golden/bert/<case>.{safetensors,json}

What is in them, and how it is computed, stands at the head of albert.py, with these differences: the heads are those of
BertForPreTraining and BertForTokenClassification, sop_* is the next-sentence head, and the weights after ten steps are
kept for AdamW only. One case has the tanh form of GELU (gelu_new), the others the erf form (gelu).
"""

import pathlib

import torch
from transformers import BertConfig, BertForPreTraining, BertForTokenClassification

import albert

OUT = pathlib.Path(__file__).parent / 'bert'

CASES = {
    'pretraining': dict(
        kind='pretraining', seed=21, lengths=[16, 1, 7, 11], masked=[3, 0, 1, 2], H=24, A=3, I=28, L=2, V=41, P=16
    ),
    'pretraining_one_layer': dict(
        kind='pretraining', seed=22, lengths=[1, 9, 5], masked=[1, 2, 1], H=17, A=1, I=35, L=1, V=43, P=12,
        act='gelu_new',
    ),
    'pretraining_deep': dict(
        kind='pretraining', seed=23, lengths=[10, 10], masked=[3, 2], H=12, A=2, I=7, L=5, V=37, P=10
    ),
    'token_classification': dict(
        kind='token_classification', seed=24, lengths=[7, 18, 3, 1, 12], H=20, A=4, I=9, L=3, V=53, P=20, C=5
    ),
}


def make_model(case, generator):
    config = BertConfig(
        vocab_size=case['V'], hidden_size=case['H'], num_hidden_layers=case['L'], num_attention_heads=case['A'],
        intermediate_size=case['I'], max_position_embeddings=case['P'], hidden_act=case.get('act', 'gelu'),
        layer_norm_eps=1e-12, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, classifier_dropout=0.0,
        num_labels=case.get('C', 2), attn_implementation='eager',
    )
    pretraining = case['kind'] == 'pretraining'
    model = (BertForPreTraining if pretraining else BertForTokenClassification)(config).double().eval()
    albert.draw(model, generator)
    return config, model


def forward(case, model, batch):
    """The outputs at the real rows, and the loss under its own key."""
    encoded = model.bert(
        input_ids=batch['ids'], attention_mask=batch['real'], token_type_ids=batch['segments'], output_hidden_states=True
    )

    def real_rows(padded):
        return padded.flatten(0, 1)[batch['rows']]

    hidden = real_rows(encoded.last_hidden_state)
    out = dict(embedded=real_rows(encoded.hidden_states[0]), hidden=hidden)
    entropy = torch.nn.functional.cross_entropy
    if case['kind'] == 'pretraining':
        out['pooled'] = encoded.pooler_output
        out['mlm_logits'] = model.cls.predictions(hidden[batch['masked']])
        out['sop_logits'] = model.cls.seq_relationship(encoded.pooler_output)
        out['mlm_loss'] = entropy(out['mlm_logits'], batch['labels'], reduction='sum') / (len(batch['labels']) + 1e-5)
        out['sop_loss'] = entropy(out['sop_logits'], batch['sop'])
        out['loss'] = out['mlm_loss'] + out['sop_loss']
    else:
        out['logits'] = model.classifier(hidden)
        out['loss'] = entropy(out['logits'], batch['labels'], ignore_index=albert.IGNORED)
    return out


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name, case in CASES.items():
        albert.write(name, case | dict(make_model=make_model, forward=forward, stored=('adamw',)), OUT)

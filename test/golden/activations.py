"""Golden files of models whose activation is no GELU: transformers in float64 against which ours are compared.

    python test/golden/activations.py       # writes test/golden/activations/<case>.{safetensors,json}

What is in them stands at the heads of albert.py and bert.py; weights after ten steps are not kept. ReLU has a kink: no
pre-activation of these cases comes within 1e-5 of it, at the first weights or at any of the twenty steps.
"""

import pathlib

import torch
from transformers import AlbertConfig, AlbertForPreTraining

import albert
import bert

OUT = pathlib.Path(__file__).parent / 'activations'
SMALL = dict(kind='pretraining', lengths=[7, 1, 5], masked=[2, 1, 1], store=False)
CASES = {
    'albert_relu': dict(SMALL, family='albert', seed=51, E=4, H=10, A=2, I=9, L=2, V=23, P=8, act='relu'),
    'bert_silu': dict(SMALL, family='bert', seed=54, H=8, A=2, I=7, L=1, V=23, P=8, act='swish'),
}
DISTANCE = 1e-5


def make_albert(case, generator):
    config = AlbertConfig(
        vocab_size=case['V'], embedding_size=case['E'], hidden_size=case['H'], num_hidden_layers=case['L'],
        num_attention_heads=case['A'], intermediate_size=case['I'], max_position_embeddings=case['P'],
        hidden_act=case['act'], layer_norm_eps=1e-12, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0, attn_implementation='eager',
    )
    model = AlbertForPreTraining(config).double().eval()
    albert.draw(model, generator)
    return config, model


def checked(make):
    """A model that refuses to come near the kink."""

    def made(case, generator):
        config, model = make(case, generator)

        def check(module, inputs, output):
            nearest = inputs[0].abs().min().item()
            if case['act'] == 'relu' and inputs[0].dtype == torch.float64 and nearest < DISTANCE:
                raise SystemExit(f'a pre-activation is {nearest}: choose another seed')

        for module in model.modules():
            if isinstance(module, torch.nn.ReLU):
                module.register_forward_hook(check)
        return config, model

    return made


if __name__ == '__main__':
    torch.set_num_threads(1)
    for name, case in CASES.items():
        makes = dict(albert=(make_albert, albert.forward), bert=(bert.make_model, bert.forward))
        make, forward = makes[case['family']]
        albert.write(name, case | dict(make_model=checked(make), forward=forward), OUT)

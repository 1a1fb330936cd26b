"""The peer of our training step: ALBERT pretraining (MLM + SOP) in PyTorch, as fast as PyTorch does it.

    python bench/peers/albert_step.py --batch 8 --length 128              # one step for each line read from stdin
    python bench/peers/albert_step.py --batch 2 --length 512 --steps 5    # five steps, then exit
    python bench/peers/albert_step.py --device cuda --precision bf16 --modes --compile --batch 64 --length 512

Needs bench/peers/requirements.txt; common.py says what a step is asked for with. A step is what ours is: forward, the
vocabulary head at masked positions only, backward, clipping to norm 1 and LAMB over every parameter. In PyTorch's
favour: fused attention (SDPA) without a mask, the fused tanh GELU in place of transformers' own, a foreach optimizer that
never waits for the device, freed memory kept by the process (--keep-memory) and fixed inputs. With --model it starts from the weights and the batch
(batch.safetensors) of a folder, and says first what their loss is without dropout.
"""

import argparse
import os


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--model', help='folder with weights and batch.safetensors; drawn if left out')
    parser.add_argument('--batch', type=int, default=8, help='sequences')
    parser.add_argument('--length', type=int, default=128, help='tokens of each sequence, all real')
    parser.add_argument('--masked', type=int, help='masked positions of each sequence (20 up to 128, else 15%%)')
    parser.add_argument('--preset', choices=('mini', 'base', 'large'), default='base')
    parser.add_argument('--dropout', type=float, default=0.0)
    common.add_arguments(parser)
    return parser.parse_args()


PRESETS = {
    'mini': dict(hidden_size=256, num_hidden_layers=4, num_attention_heads=4, intermediate_size=1024),
    'base': dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
    'large': dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096),
}


def drawn(options):
    """A model with random weights, and a random batch."""
    common.plain_masks()
    config = transformers.AlbertConfig(
        vocab_size=30000, embedding_size=128, max_position_embeddings=512, hidden_act='gelu_pytorch_tanh',
        hidden_dropout_prob=options.dropout, attention_probs_dropout_prob=options.dropout,
        attn_implementation='sdpa', **PRESETS[options.preset],
    )
    batch, length = options.batch, options.length
    masked = options.masked or (20 if length <= 128 else round(0.15 * length))
    return transformers.AlbertForPreTraining(config), dict(
        ids=torch.randint(5, 30000, (batch * length,)),
        segments=(torch.arange(length) >= length // 2).repeat(batch),
        masked_rows=torch.cat([torch.randperm(length)[:masked].sort().values + b * length for b in range(batch)]),
        masked_labels=torch.randint(5, 30000, (batch * masked,)),
        sop_labels=torch.randint(0, 2, (batch,)),
    )


def given(options):
    model = common.load(transformers.AlbertForPreTraining, options.model, options.dropout)
    return model, safetensors.torch.load_file(os.path.join(options.model, 'batch.safetensors'))


def main(options):
    description = common.begin(options)
    model, tensors = drawn(options) if options.model is None else given(options)
    model.to(options.device)
    tensors = {name: tensor.to(options.device) for name, tensor in tensors.items()}
    model.sop_classifier.dropout.p = 0.0  # ours has none in front of this head while pretraining
    optimizer = common.Lamb(model, rate=1e-4)
    labels, rows, order = (tensors[name].long() for name in ('masked_labels', 'masked_rows', 'sop_labels'))
    batch = len(order)
    ids, segments = (tensors[name].long().view(batch, -1) for name in ('ids', 'segments'))

    def loss_of():
        with common.autocast(options):
            encoded = model.albert(input_ids=ids, token_type_ids=segments)
            logits = model.predictions(encoded.last_hidden_state.flatten(0, 1)[rows])
            sop = model.sop_classifier(encoded.pooler_output)
        entropy = torch.nn.functional.cross_entropy
        return entropy(logits.float(), labels, reduction='sum') / (len(labels) + 1e-5) + entropy(sop.float(), order)

    with torch.no_grad():
        model.eval()
        description['first_loss'] = loss_of().item()
    model.train()
    compiled_loss = torch.compile(loss_of) if options.compile else None

    def step_of(forward):
        def step():
            loss = forward()
            loss.backward()
            optimizer.step()
            return dict(loss=loss.detach())
        return step

    compiled = step_of(compiled_loss) if options.compile else None
    steps = common.training_modes(step_of(loss_of), compiled, options) if options.modes else compiled or step_of(loss_of)

    common.serve(steps, options, dict(
        **description, transformers=transformers.__version__, batch=batch, length=ids.shape[1],
        masked=len(labels) // batch, dropout=options.dropout, parameters=sum(p.numel() for p in optimizer.parameters),
    ))


if __name__ == '__main__':
    import common
    parsed = arguments()
    import safetensors.torch
    import torch
    import transformers

    main(parsed)

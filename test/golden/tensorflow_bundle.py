"""Golden checkpoints of TensorFlow: bundles that its own Saver wrote, and what transformers computes from the same numbers.

    python test/golden/tensorflow_bundle.py bundles    # needs tensorflow: the checkpoints
    python test/golden/tensorflow_bundle.py outputs    # needs torch and transformers: what comes out of the models

Both draw the same weights with numpy under the names and shapes of the original code (google-research/albert and
google-research/bert: kernels are [in, out], LayerNorm is the one behind attention, LayerNorm_1 the one behind the FFN).
`outputs` puts them into transformers' models by the tables below and never reads a checkpoint.

tensorflow_bundle/albert/: `checkpoint`, model.ckpt-7.* with the moments of an optimizer and the global step, albert_config.json
tensorflow_bundle/bert/:   bert_model.ckpt.*, likewise, bert_config.json, no `checkpoint`
tensorflow_bundle/<family>.{json,safetensors}: config, batch and outputs in float64, in the form of albert.py
tensorflow_bundle/types/:  types.ckpt.*: one variable of every type that is read, in two shards, and one of text; values are in
                           types.safetensors, where bf16 and f16 stand as float32
tensorflow_bundle/sliced/: sliced.ckpt.*: a variable in two slices
tensorflow_bundle/version1/model.ckpt: a checkpoint of version 1, which is one file
"""

import json
import pathlib
import shutil
import sys

import numpy as np

OUT = pathlib.Path(__file__).parent / 'tensorflow_bundle'

CASES = {
    'albert': dict(kind='pretraining', seed=31, lengths=[9, 1, 6], masked=[2, 0, 1], E=6, H=16, A=2, I=24, L=3, V=37, P=12),
    'bert': dict(kind='pretraining', seed=32, lengths=[5, 8, 1], masked=[1, 2, 0], H=12, A=3, I=20, L=2, V=31, P=10),
}


def dense(name, rows, columns):
    return {f'{name}/kernel': (rows, columns), f'{name}/bias': (columns,)}


def norm(name, size):
    return {f'{name}/gamma': (size,), f'{name}/beta': (size,)}


def shapes(family, case):
    """Names and shapes of the original code's variables."""
    H, I, V = case['H'], case['I'], case['V']
    E = case.get('E', H)
    named = {
        'bert/embeddings/word_embeddings': (V, E),
        'bert/embeddings/token_type_embeddings': (2, E),
        'bert/embeddings/position_embeddings': (case['P'], E),
        **norm('bert/embeddings/LayerNorm', E),
        **dense('bert/pooler/dense', H, H),
        **dense('cls/predictions/transform/dense', H, E),
        **norm('cls/predictions/transform/LayerNorm', E),
        'cls/predictions/output_bias': (V,),
        'cls/seq_relationship/output_weights': (2, H),
        'cls/seq_relationship/output_bias': (2,),
    }
    if family == 'albert':
        named |= dense('bert/encoder/embedding_hidden_mapping_in', E, H)
        block = 'bert/encoder/transformer/group_0/inner_group_0'
        for part in ('query', 'key', 'value'):
            named |= dense(f'{block}/attention_1/self/{part}', H, H)
        named |= dense(f'{block}/attention_1/output/dense', H, H)
        named |= norm(f'{block}/LayerNorm', H)
        named |= dense(f'{block}/ffn_1/intermediate/dense', H, I)
        named |= dense(f'{block}/ffn_1/intermediate/output/dense', I, H)
        named |= norm(f'{block}/LayerNorm_1', H)
    for layer in range(case['L'] if family == 'bert' else 0):
        block = f'bert/encoder/layer_{layer}'
        for part in ('query', 'key', 'value'):
            named |= dense(f'{block}/attention/self/{part}', H, H)
        named |= dense(f'{block}/attention/output/dense', H, H)
        named |= norm(f'{block}/attention/output/LayerNorm', H)
        named |= dense(f'{block}/intermediate/dense', H, I)
        named |= dense(f'{block}/output/dense', I, H)
        named |= norm(f'{block}/output/LayerNorm', H)
    return named


def draw(family, case):
    """Variables by name, none of them where training would start."""
    generator = np.random.default_rng(case['seed'])
    drawn = {}
    for name, shape in shapes(family, case).items():
        width = shape[0] if name.endswith('kernel') else shape[-1]
        scale = 0.1 if len(shape) == 1 else 0.6 / width**0.5
        values = generator.standard_normal(shape) * scale + (1.0 if name.endswith('gamma') else 0.0)
        drawn[name] = values.astype(np.float32)
    return drawn


def original_config(family, case):
    sizes = dict(
        attention_probs_dropout_prob=0, hidden_act='gelu', hidden_dropout_prob=0, hidden_size=case['H'],
        initializer_range=0.02, intermediate_size=case['I'], max_position_embeddings=case['P'],
        num_attention_heads=case['A'], num_hidden_layers=case['L'], type_vocab_size=2, vocab_size=case['V'],
    )
    if family == 'bert':
        return sizes
    return sizes | dict(
        embedding_size=case['E'], num_hidden_groups=1, net_structure_type=0, gap_size=0, num_memory_blocks=0,
        inner_group_num=1, down_scale_factor=1,
    )


def save(tf, variables, prefix, **options):
    """What a training run of the original code leaves behind."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [
            tf.compat.v1.get_variable(name, initializer=tf.constant(values), use_resource=False)
            for name, values in variables.items()
        ]
        session.run([variable.initializer for variable in made])
        saver = tf.compat.v1.train.Saver(made, save_relative_paths=True, **options.pop('saver', {}))
        return saver.save(session, str(prefix), write_meta_graph=False, **options)


def bundles():
    import tensorflow as tf

    for family, case in CASES.items():
        folder = OUT / family
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        variables = draw(family, case)
        generator = np.random.default_rng(case['seed'] + 1)
        for name in list(variables):
            for moment in ('adam_m', 'adam_v'):
                values = generator.standard_normal(variables[name].shape)
                variables[f'{name}/{moment}'] = (values**2 if moment == 'adam_v' else values).astype(np.float32)
        variables['global_step'] = np.array(7, dtype=np.int64)
        if family == 'albert':
            save(tf, variables, folder / 'model.ckpt', global_step=7)
        else:
            save(tf, variables, folder / 'bert_model.ckpt', write_state=False)
        text = json.dumps(original_config(family, case), indent=2)
        (folder / f'{family}_config.json').write_text(text + '\n')
    types(tf)
    sliced(tf)
    folder = OUT / 'version1'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    version1 = dict(saver=dict(write_version=1), write_state=False)
    save(tf, {'bert/pooler/dense/bias': np.zeros(2, np.float32)}, folder / 'model.ckpt', **version1)


def merged(tf, folder, parts):
    """Shards as parameter servers write them: each its own, put together afterwards. A part is (name, slice, values)."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    prefixes = []
    for number, part in enumerate(parts):
        prefixes.append(str(folder / f'part{number}'))
        names, slices, values = zip(*part)
        tf.raw_ops.SaveV2(prefix=prefixes[-1], tensor_names=names, shape_and_slices=slices, tensors=values)
    target = str(folder / f'{folder.name}.ckpt')
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=prefixes, destination_prefix=target, delete_old_dirs=False)


def types(tf):
    from safetensors.numpy import save_file

    generator = np.random.default_rng(33)
    names = ('float32', 'float64', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'uint16', 'uint32', 'bool')
    values, tensors = {}, {}
    for index, name in enumerate(names):
        shape = [(3, 2), (2, 1, 3), (), (5,)][index % 4]
        drawn = generator.standard_normal(shape) * 100 if 'float' in name else generator.integers(0, 100, shape)
        tensors[name] = tf.cast(drawn, name)
        wide = tf.cast(tensors[name], 'float32') if name in ('float16', 'bfloat16') else tensors[name]
        values[name] = np.array(wide)  # not ascontiguousarray, which makes [1] of a scalar
    tensors['text'] = tf.constant(['a', 'bc'])
    parts = [(name, '', tensor) for name, tensor in tensors.items()]
    merged(tf, OUT / 'types', [parts[::2], parts[1::2]])
    save_file(values, OUT / 'types' / 'types.safetensors')
    (OUT / 'types' / 'types.safetensors').chmod(0o644)


def sliced(tf):
    whole = np.arange(12, dtype=np.float32).reshape(4, 3)
    name = 'bert/embeddings/word_embeddings'
    merged(tf, OUT / 'sliced', [[(name, '4 3 0,2:0,3', whole[:2])], [(name, '4 3 2,2:0,3', whole[2:])]])


# The rest of a variable's name -> transformers' module, of the shared block or of a layer.
ALBERT_BLOCK = {
    'attention_1/self/query': 'attention.query', 'attention_1/self/key': 'attention.key',
    'attention_1/self/value': 'attention.value', 'attention_1/output/dense': 'attention.dense',
    'LayerNorm': 'attention.LayerNorm', 'ffn_1/intermediate/dense': 'ffn',
    'ffn_1/intermediate/output/dense': 'ffn_output', 'LayerNorm_1': 'full_layer_layer_norm',
}
ALBERT_HEADS = {
    'cls/predictions/transform/dense': 'predictions.dense', 'cls/predictions/transform/LayerNorm': 'predictions.LayerNorm',
    'cls/predictions': 'predictions', 'cls/seq_relationship': 'sop_classifier.classifier', 'bert/pooler/dense': 'albert.pooler',
}


def module_of(family, variable):
    """transformers' name of the module that a variable belongs to."""
    if family == 'bert':
        return variable.replace('layer_', 'layer/').replace('/', '.')
    if variable in ALBERT_HEADS:
        return ALBERT_HEADS[variable]
    block = 'bert/encoder/transformer/group_0/inner_group_0/'
    if variable.startswith(block):
        return 'albert.encoder.albert_layer_groups.0.albert_layers.0.' + ALBERT_BLOCK[variable.removeprefix(block)]
    return variable.replace('bert/', 'albert/').replace('/', '.')


def fill(torch, family, model, variables):
    """Every variable into the module of its name; a parameter that gets none, or two, is an error."""
    waiting = dict(model.named_parameters())
    for name, values in variables.items():
        owner, _, kind = name.rpartition('/')
        if kind.endswith('_embeddings'):
            target = f'{module_of(family, name)}.weight'
        else:
            attribute = 'weight' if kind in ('kernel', 'gamma', 'output_weights') else 'bias'
            target = f'{module_of(family, owner)}.{attribute}'
        exact = torch.from_numpy(values.T.copy() if kind == 'kernel' else values).double()
        parameter = waiting.pop(target)
        assert parameter.shape == exact.shape, (name, target)
        with torch.no_grad():
            parameter.copy_(exact)
    assert not waiting, list(waiting)


def outputs():
    import albert
    import bert
    import torch
    from safetensors.numpy import save_file

    torch.set_num_threads(1)
    for family, case in CASES.items():
        generator = torch.Generator().manual_seed(case['seed'])
        config, model = {'albert': albert, 'bert': bert}[family].make_model(case, generator)
        fill(torch, family, model, draw(family, case))
        batch = albert.make_batch(case, generator)
        with torch.no_grad():
            found = {'albert': albert, 'bert': bert}[family].forward(case, model, batch)
        stored = {f'outputs/{key}': value.numpy().astype(np.float32) for key, value in found.items()}
        width = batch['ids'].shape[1]
        rows = batch['rows']
        integers = dict(
            input_ids=batch['ids'].flatten()[rows], segment_ids=batch['segments'].flatten()[rows], position_ids=rows % width,
            cu_seqlens=np.concatenate([[0], np.cumsum(case['lengths'])]), masked_rows=batch['masked'],
        )
        stored |= {f'batch/{key}': np.asarray(value, dtype=np.int32) for key, value in integers.items()}
        save_file(stored, OUT / f'{family}.safetensors')
        (OUT / f'{family}.safetensors').chmod(0o644)
        described = config.to_dict()
        kept = ('model_type', *original_config(family, case), 'hidden_act', 'layer_norm_eps')
        summary = dict(
            kind=case['kind'], config={key: described[key] for key in kept if key in described},
            batch=dict(sequences=len(case['lengths']), rows=len(rows), masked=len(batch['masked'])),
        )
        (OUT / f'{family}.json').write_text(json.dumps(summary, indent=2).replace('e-0', 'e-') + '\n')


if __name__ == '__main__':
    {'bundles': bundles, 'outputs': outputs}[sys.argv[1]]()

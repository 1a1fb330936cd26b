"""Golden counts of entity scoring, made once by an implementation that shares nothing with ours.

Entities are counted as the CoNLL-2000 script conlleval does, word by word with its start-of-chunk and
end-of-chunk rules and a running "correct so far" flag (no sets of spans). seqeval (default mode for conlleval,
mode='strict', scheme=IOB2 for strict IOB2) counts them once more, and scikit-learn makes the word-level figures.

    python test/golden/conlleval.py [FOLDER OF THE NER DATA SETS]   writes test/golden/ner/*.json
    npm run format

The cases:
  typed.json    small random sentences with three types, tags stored in the file
  shared.json   test files of the data sets, predictions corrupted as `corrupt` below says; the test repeats the
                corruption and compares the sha256 of the predicted tags before it compares counts
"""
import hashlib
import json
import pathlib
import sys

from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.metrics.sequence_labeling import precision_recall_fscore_support as lenient_scores
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, Entities
from sklearn.metrics import accuracy_score, f1_score

HERE = pathlib.Path(__file__).parent
DATA = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parents[2] / 'shared/data/ner'
SETS = ['NCBI-disease', 'BC5CDR-disease', 'BC5CDR-chem', 'BC2GM', 'JNLPBA', 'linnaeus']


class Generator:
    """x <- 1664525 x + 1013904223 mod 2^32; below(n) = floor(high 16 bits * n / 65536)."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (1664525 * self.state + 1013904223) % 2**32
        return (self.state >> 16) * n >> 16


def corrupt(sentences, labels, seed, share):
    """Each tag in order: with below(1000) < share it becomes labels[below(len(labels))]."""
    generator = Generator(seed)
    out = []
    for tags in sentences:
        row = []
        for tag in tags:
            row.append(labels[generator.below(len(labels))] if generator.below(1000) < share else tag)
        out.append(row)
    return out


def split(tag):
    return (tag[0], tag[2:])


def end_of_chunk(previous, current):
    (p, p_type), (c, c_type) = previous, current
    if p == 'O':
        return False
    return c in 'BO' or p_type != c_type


def start_of_chunk(previous, current):
    (p, p_type), (c, c_type) = previous, current
    if c == 'O':
        return False
    return c == 'B' or p == 'O' or p_type != c_type


def conlleval(gold, predicted):
    """Counts by type: {type: [gold, predicted, correct]}."""
    counts = {}
    outside = ('O', '')
    for gold_tags, predicted_tags in zip(gold, predicted, strict=True):
        in_correct = False
        last_gold = last_predicted = outside
        for gold_tag, predicted_tag in zip(gold_tags + ['O'], predicted_tags + ['O'], strict=True):
            now_gold, now_predicted = split(gold_tag), split(predicted_tag)
            gold_ends = end_of_chunk(last_gold, now_gold)
            predicted_ends = end_of_chunk(last_predicted, now_predicted)
            gold_starts = start_of_chunk(last_gold, now_gold)
            predicted_starts = start_of_chunk(last_predicted, now_predicted)
            if in_correct:
                if gold_ends and predicted_ends:
                    counts.setdefault(last_gold[1], [0, 0, 0])[2] += 1
                    in_correct = False
                elif gold_ends != predicted_ends or now_gold[1] != now_predicted[1]:
                    in_correct = False
            if gold_starts and predicted_starts and now_gold[1] == now_predicted[1]:
                in_correct = True
            if gold_starts:
                counts.setdefault(now_gold[1], [0, 0, 0])[0] += 1
            if predicted_starts:
                counts.setdefault(now_predicted[1], [0, 0, 0])[1] += 1
            last_gold, last_predicted = now_gold, now_predicted
    return counts


def typed(sentences):
    """seqeval wants types: B becomes B-X."""
    return [[t if len(t) != 1 or t == 'O' else f'{t}-X' for t in tags] for tags in sentences]


def total(counts):
    return [sum(row[i] for row in counts.values()) for i in range(3)]


def strict_iob2(gold, predicted):
    gold, predicted = typed(gold), typed(predicted)
    g = {e.to_tuple() for row in Entities(gold, IOB2).entities for e in row}
    p = {e.to_tuple() for row in Entities(predicted, IOB2).entities for e in row}
    precision, recall, f1, _ = strict_scores(gold, predicted, average='micro', scheme=IOB2)
    found = [len(g), len(p), len(g & p)]
    assert abs(precision - found[2] / found[1]) < 1e-12 and abs(recall - found[2] / found[0]) < 1e-12
    return found


def score(gold, predicted):
    counts = conlleval(gold, predicted)
    g, p = set(get_entities(typed(gold))), set(get_entities(typed(predicted)))
    assert total(counts) == [len(g), len(p), len(g & p)], (total(counts), len(g), len(p), len(g & p))
    precision, recall, f1, _ = lenient_scores(typed(gold), typed(predicted), average='micro')
    flat_gold = [t for row in gold for t in row]
    flat_predicted = [t for row in predicted for t in row]
    entity_tags = sorted((set(flat_gold) | set(flat_predicted)) - {'O'})
    return {
        'words': len(flat_gold),
        'conlleval': {'total': total(counts), 'types': counts, 'precision': precision, 'recall': recall, 'f1': f1},
        'iob2': {'total': strict_iob2(gold, predicted)},
        'token': {
            'accuracy': accuracy_score(flat_gold, flat_predicted),
            'macroF1': f1_score(flat_gold, flat_predicted, labels=entity_tags, average='macro', zero_division=0),
            'weightedF1': f1_score(flat_gold, flat_predicted, average='weighted', zero_division=0),
        },
    }


def random_cases():
    generator = Generator(7)
    labels = ['O', 'B-Gene', 'I-Gene', 'B-Disease', 'I-Disease', 'B-Drug', 'I-Drug']
    cases = []
    for case in range(12):
        gold = [[labels[generator.below(len(labels))] for _ in range(generator.below(14))] for _ in range(12)]
        predicted = corrupt(gold, labels, 100 + case, 60 * case)
        cases.append({'gold': [' '.join(r) for r in gold], 'predicted': [' '.join(r) for r in predicted],
                      **score(gold, predicted)})
    return cases


def shared_cases():
    cases = []
    for number, name in enumerate(SETS):
        blocks = (DATA / name / 'test.tsv').read_text('utf-8').split('\n\n')
        gold = [[row.split('\t')[1] for row in block.strip('\n').split('\n')] for block in blocks if block.strip('\n')]
        for share in (20, 250):
            seed = 10 * number + share
            predicted = corrupt(gold, ['O', 'B', 'I'], seed, share)
            digest = hashlib.sha256('\n'.join(' '.join(r) for r in predicted).encode()).hexdigest()
            cases.append({'set': name, 'seed': seed, 'share': share, 'sentences': len(gold), 'sha256': digest,
                          **score(gold, predicted)})
    return cases


if __name__ == '__main__':
    folder = HERE / 'ner'
    folder.mkdir(exist_ok=True)
    for name, cases in (('typed', random_cases()), ('shared', shared_cases())):
        (folder / f'{name}.json').write_text('[\n' + ',\n'.join(json.dumps(c) for c in cases) + '\n]\n')
        print(name, [c['conlleval']['total'] for c in cases])

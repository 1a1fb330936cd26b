"""Golden scores of src/tasks/metrics, made once by implementations that share nothing with ours.

scikit-learn for classes and labels, scipy and exact fractions for correlations, seqeval for entities by type under
strict IOB2, numpy for intervals of the bootstrap; the definitions of BLUE's HoC score, of SQuAD 2.0's script and of
BioASQ's measures are written out below.

    python test/golden/metrics.py     writes test/golden/metrics.json
"""
import collections
import json
import math
import pathlib
import re
import string
import warnings
from fractions import Fraction

import numpy as np
from scipy import stats
from seqeval.metrics.v1 import precision_recall_fscore_support as strict_scores
from seqeval.scheme import IOB2
from sklearn.metrics import (accuracy_score, confusion_matrix, f1_score, mean_squared_error,
                             precision_recall_fscore_support)

warnings.filterwarnings('ignore')
random = np.random.default_rng(20)


def below(n):
    return int(random.integers(n))


def clean(values):
    return [float(v) for v in values]


# Classes: single-label classification, relation extraction with negative classes.

def class_case(n, k, negative, skill):
    gold = [below(k) for _ in range(n)]
    predicted = [g if random.random() < skill else below(k) for g in gold]
    if skill < 0:
        predicted = [0] * n
    labels = list(range(k))
    positive = [c for c in labels if c not in negative]
    p, r, f, _ = precision_recall_fscore_support(gold, predicted, labels=labels, zero_division=0)
    micro = [0, 0, 0]
    if positive:
        micro = precision_recall_fscore_support(gold, predicted, labels=positive, average='micro', zero_division=0)[:3]
    return {
        'gold': gold, 'predicted': predicted, 'k': k, 'negative': negative,
        'accuracy': float(accuracy_score(gold, predicted)),
        'confusion': confusion_matrix(gold, predicted, labels=labels).tolist(),
        'precision': clean(p), 'recall': clean(r), 'f1': clean(f), 'macroF1': float(np.mean(f)),
        'positiveMacroF1': float(np.mean([f[c] for c in positive])) if positive else 0,
        'micro': clean(micro),
    }


def class_cases():
    cases = []
    for i in range(60):
        k = 1 + below(6)
        negative = [[], [0], [k - 1], sorted({0, k - 1})][i % 4]
        cases.append(class_case(1 + below(30), k, negative, [0.3, 0.7, 1, -1, 0][i % 5]))
    return cases


# Labels: documents with any number of labels.

def blue_examples(gold, predicted):
    """BLUE's eval_hoc: means over documents of precision and recall, then their harmonic mean."""
    ps, rs = [], []
    for g, p in zip(gold, predicted):
        g, p = {i for i, v in enumerate(g) if v}, {i for i, v in enumerate(p) if v}
        both = len(g & p)
        ps.append(0 if not p else both / len(p))
        rs.append(both / len(g))
    p, r = float(np.mean(ps)), float(np.mean(rs))
    return [len(gold), p, r, 0 if p + r == 0 else 2 * p * r / (p + r)]


def all_examples(gold, predicted):
    """The same where documents without a label have a column of their own, `none of them`, right or wrong."""
    extended = [[list(row) + [0 if any(row) else 1] for row in rows] for rows in (gold, predicted)]
    for g, p in zip(*extended):
        if any(g[:-1]):
            p[-1] = 0
    return blue_examples(*extended)


def label_case(n, k, share, skill):
    gold = (random.random((n, k)) < share).astype(int)
    noise = (random.random((n, k)) < share).astype(int)
    predicted = np.where(random.random((n, k)) < skill, gold, noise)
    if skill < 0:
        predicted = np.zeros_like(gold)
    average = lambda how: float(f1_score(gold, predicted, average=how, zero_division=0))  # noqa: E731
    labelled = [i for i in range(n) if gold[i].any()]
    p, r, f, _ = precision_recall_fscore_support(gold, predicted, average=None, zero_division=0)
    rows = lambda m: [''.join(map(str, row)) for row in m]  # noqa: E731
    return {
        'gold': rows(gold), 'predicted': rows(predicted), 'k': k, 'exactMatch': float(accuracy_score(gold, predicted)),
        'micro': clean(precision_recall_fscore_support(gold, predicted, average='micro', zero_division=0)[:3]),
        'macroF1': average('macro'), 'samplesF1': average('samples'),
        'examples': blue_examples(gold[labelled], predicted[labelled]) if labelled else [0, 0, 0, 0],
        'allExamples': all_examples(gold.tolist(), predicted.tolist()),
        'precision': clean(p), 'recall': clean(r), 'f1': clean(f),
    }


def label_cases():
    return [label_case(1 + below(12), 2 + below(9), [0, 0.1, 0.3, 0.7][i % 4], [0.5, 0.8, 1, 0, -1][i % 5])
            for i in range(60)]


def threshold_case(n, positive, exact):
    """Every candidate is scored from scratch; fractions, so that equal is equal."""
    gold = [int(random.random() < positive) for _ in range(n)]
    skewed = [min(1.0, max(0.0, 0.3 * g + 0.7 * random.random())) for g in gold]
    values = [round(p * 64) / 64 for p in skewed] if exact else skewed
    p = [Fraction(v) for v in values]
    distinct = [Fraction(0)] + sorted(set(p))
    candidates = [Fraction(1, 2)] + [(a + b) / 2 for a, b in zip(distinct, distinct[1:])]
    if not any(gold):
        return {'probabilities': values, 'gold': gold, 'threshold': 0.5, 'f1': 0}

    def f1(t):
        correct = sum(1 for v, g in zip(p, gold) if v >= t and g)
        return Fraction(2 * correct, sum(1 for v in p if v >= t) + sum(gold))

    best = max(candidates, key=lambda t: (f1(t), -abs(t - Fraction(1, 2)), -t))
    check = f1_score(gold, [int(v >= best) for v in p], zero_division=0)
    assert abs(check - float(f1(best))) < 1e-12
    return {'probabilities': values, 'gold': gold, 'threshold': float(best), 'f1': float(f1(best))}


def threshold_cases():
    return [threshold_case(1 + below(14), [0.1, 0.4, 0.8, 1][i % 4], i % 3 > 0) for i in range(90)]


# Correlations.

def exact_pearson(x, y):
    """In fractions up to the two square roots; None where it does not exist."""
    if len(x) < 2 or len(set(x)) == 1 or len(set(y)) == 1:
        return None
    x, y = [Fraction(v) for v in x], [Fraction(v) for v in y]
    mx, my = sum(x) / len(x), sum(y) / len(y)
    xy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    square = xy * xy / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))
    return math.copysign(math.sqrt(square), xy)


def exact_ranks(values):
    return [Fraction(sum(v < u for v in values) * 2 + sum(v == u for v in values) + 1, 2) for u in values]


def correlation_case(x, y, ordinary):
    x, y = clean(x), clean(y)
    pearson, spearman = exact_pearson(x, y), exact_pearson(exact_ranks(x), exact_ranks(y))
    if ordinary and pearson is not None:
        assert abs(stats.pearsonr(x, y)[0] - pearson) < 1e-9 and abs(stats.spearmanr(x, y)[0] - spearman) < 1e-9
    error = mean_squared_error(x, y) if len(x) else None
    return {'x': x, 'y': y, 'pearson': pearson, 'spearman': spearman,
            'meanSquaredError': error if error is not None and math.isfinite(error) else None}


def correlation_cases():
    cases = []
    for i in range(60):
        n = below(25)
        x = random.random(n) * 5
        y = x * [1, -1, 0.1, 0][i % 4] + random.random(n)
        if i % 3 == 0:
            x, y = np.round(x), np.round(y)
        cases.append(correlation_case(np.round(x, 3), np.round(y, 3), True))
    for n in (1, 2, 3, 7):
        y = random.random(n)
        cases.append(correlation_case([0.1] * n, y, True))
        cases.append(correlation_case(y, [1 / 3] * n, True))
        cases.append(correlation_case(1e9 + y, random.random(n), False))
        cases.append(correlation_case(1e-190 * y, random.random(n), False))
        cases.append(correlation_case(1e190 * y, 1e-190 * random.random(n), False))
    return cases


# Answers, as SQuAD 2.0's script has them.

def normalised(text):
    text = ''.join(c for c in text.lower() if c not in string.punctuation)
    return ' '.join(re.sub(r'\b(a|an|the)\b', ' ', text).split())


def squad(golds, predicted):
    """(exact match, F1) of one question; no gold answer: the empty text is right."""
    golds = [g for g in golds if normalised(g)] or ['']
    words = normalised(predicted).split() if predicted else []
    f1s = []
    for gold in golds:
        wanted = normalised(gold).split() if gold else []
        common = sum((collections.Counter(wanted) & collections.Counter(words)).values())
        if not wanted or not words:
            f1s.append(float(wanted == words))
        elif common == 0:
            f1s.append(0.0)
        else:
            p, r = common / len(words), common / len(wanted)
            f1s.append(2 * p * r / (p + r))
    return max(float(normalised(g) == normalised(predicted)) for g in golds), max(f1s)


VOCABULARY = ['the', 'The', 'a', 'an', 'A', 'gene', 'p53', 'BRCA1', 'IL-2', "Crohn's", 'α', 'TNF-α', 'aβ', 'a-β', 'the1',
              '(mice)', 'mice', '5%', '$3', '—', 'naïve', 'café', 'a_b', 'in vivo', 'Ångström', '²', 'a²', 'ΟΔΟΣ', '...', '',
              '\u00a0', '\u2003', 'a\u0301', 'the\u00a0cell', '~x', '`y`', 'β-the']


def phrase(most):
    return ' '.join(VOCABULARY[below(len(VOCABULARY))] for _ in range(below(most + 1)))


def similar(text):
    words = text.split(' ')
    random.shuffle(words)
    return ' '.join(words[below(2):]).upper() if below(2) else ' '.join(words + ['the', '.'])


def answer_cases():
    cases = []
    for _ in range(160):
        golds = [phrase(5) for _ in range(below(4))]
        predicted = similar(golds[below(len(golds))]) if golds and below(3) else phrase(5)
        exact, f1 = squad(golds, predicted)
        cases.append({'gold': golds, 'predicted': predicted, 'normalised': normalised(predicted), 'exact': exact, 'f1': f1})
    return cases


def script_best(scores, answerable, texts, differences):
    """find_best_thresh of SQuAD 2.0's script: question by question in the order of their differences."""
    current = best = sum(1 for a in answerable if not a)
    for q in sorted(range(len(scores)), key=lambda q: differences[q]):
        current += scores[q] if answerable[q] else (-1 if texts[q] else 0)
        best = max(best, current)
    return best / len(scores)


def no_answer_case(n, ties):
    golds = [[] if below(3) == 0 else [phrase(4) or 'gene'] for _ in range(n)]
    golds = [g and [g[0] if normalised(g[0]) else 'gene'] for g in golds]
    texts = [similar(g[0]) if g and below(4) else 'cell ' + phrase(2) for g in golds]
    differences = [round(float(random.normal() + (0 if g else 1)), 1 if ties else 6) for g in golds]
    answerable = [bool(g) for g in golds]

    def scores_at(threshold):
        given = [t if d <= threshold else '' for t, d in zip(texts, differences)]
        return np.mean([squad(g, t) for g, t in zip(golds, given)], axis=0)

    at = [(min(differences) - 1, *scores_at(min(differences) - 1))] + [(d, *scores_at(d)) for d in sorted(set(differences))]
    # The lowest of the thresholds whose scores differ by rounding alone.
    best = [next(row for row in at if row[i] > max(r[i] for r in at) - 1e-12) for i in (1, 2)]
    if not ties:
        raw = [squad(g, t) for g, t in zip(golds, texts)]
        for i in (0, 1):
            assert abs(script_best([r[i] for r in raw], answerable, texts, differences) - best[i][i + 1]) < 1e-12
    given = [t if d <= 0 else '' for t, d in zip(texts, differences)]
    split = {name: [float(v) for v in np.mean([squad(g, t) for g, t in zip(golds, given) if keep(g)], axis=0)]
             for name, keep in (('all', lambda g: True), ('hasAnswer', bool), ('noAnswer', lambda g: not g))
             if any(keep(g) for g in golds)}
    return {'gold': golds, 'texts': texts, 'differences': differences, 'given': given, 'split': split,
            'exactThreshold': best[0][0], 'exactMatch': float(best[0][1]),
            'f1Threshold': best[1][0], 'f1': float(best[1][2])}


def no_answer_cases():
    return [no_answer_case(1 + below(15), i % 2 == 1) for i in range(40)]


# BioASQ.

def factoid_case(n):
    names = ['TP53', 'tp53', 'p53', 'P53 ', 'the p53', 'BRCA1', 'Brca-1', 'brca1', 'α-synuclein', 'Α-SYNUCLEIN', '']
    pick = lambda most: [names[below(len(names))] for _ in range(below(most + 1))]  # noqa: E731
    gold, ranked = [pick(3) or ['x'] for _ in range(n)], [pick(7) for _ in range(n)]
    strict = lenient = reciprocal = 0
    for synonyms, answers in zip(gold, ranked):
        lowered = [s.lower() for s in synonyms]
        found = [i for i, answer in enumerate(answers[:5]) if any(answer.lower() == s for s in lowered)]
        strict += 0 in found
        lenient += bool(found)
        reciprocal += 1 / (found[0] + 1) if found else 0
    return {'gold': gold, 'ranked': ranked, 'strict': strict / n, 'lenient': lenient / n, 'mrr': reciprocal / n}


def yes_no_case(n, unanswered):
    gold = [['yes', 'no'][int(random.random() < 0.3)] for _ in range(n)]
    predicted = [None if unanswered and below(4) == 0 else ['yes', 'no'][below(2)] for _ in gold]
    f1s = []
    for label in ('yes', 'no'):
        # The program's own table: a wrong question of the class is one error, a wrong one of the other class another.
        right = sum(g == p == label for g, p in zip(gold, predicted))
        wrong = sum(g != p for g, p in zip(gold, predicted))
        f1s.append(2 * right / (2 * right + wrong) if right + wrong else 0)
    if not unanswered:
        assert np.allclose(f1s, f1_score(gold, predicted, labels=['yes', 'no'], average=None, zero_division=0))
    return {'gold': gold, 'predicted': predicted, 'accuracy': sum(g == p for g, p in zip(gold, predicted)) / n,
            'yesF1': f1s[0], 'noF1': f1s[1], 'macroF1': sum(f1s) / 2}


# Entities by type under strict IOB2.

def entity_case(skill):
    tags = ['O', 'B-Gene', 'I-Gene', 'B-Drug', 'I-Drug', 'B-Cell', 'I-Cell']
    gold = [[tags[below(7)] for _ in range(1 + below(10))] for _ in range(8)]
    predicted = [[t if random.random() < skill else tags[below(7)] for t in row] for row in gold]
    p, r, f, support = strict_scores(gold, predicted, average=None, scheme=IOB2, zero_division=0)
    return {'gold': [' '.join(row) for row in gold], 'predicted': [' '.join(row) for row in predicted],
            'types': ['Cell', 'Drug', 'Gene'], 'precision': clean(p), 'recall': clean(r), 'f1': clean(f),
            'support': [int(s) for s in support]}


# Intervals.

def ratio(sums):
    return sums[:, 0] / sums[:, 1]


def f1(sums):
    return 2 * sums[:, 0] / (sums[:, 1] + sums[:, 2])


def pearson(sums):
    n, x, y, xx, yy, xy = sums.T
    return (n * xy - x * y) / np.sqrt((n * xx - x * x) * (n * yy - y * y))


def interval(models, rate, samples=40000):
    """Quantiles over resamples of the (first minus second) model's mean rate over seeds: [low, high, deviation]."""
    units = models[0].shape[1]
    counts = random.multinomial(units, np.full(units, 1 / units), size=samples).astype(float)
    scores = [np.mean([rate(counts @ seed) for seed in model], axis=0) for model in models]
    values = scores[0] if len(scores) == 1 else scores[0] - scores[1]
    return clean([*np.quantile(values, [0.025, 0.975]), np.std(values)])


def bootstrap_cases():
    cases = []
    for units, seeds in ((30, 1), (120, 3)):
        right = lambda skill: np.stack([np.stack([(random.random(units) < skill).astype(float), np.ones(units)], 1)  # noqa: E731
                                        for _ in range(seeds)])
        found = lambda skill: np.stack([np.stack([random.binomial(g, skill), g + random.integers(0, 2, units), g], 1)  # noqa: E731
                                        for _ in range(seeds)])
        g = random.integers(0, 4, units)
        gold = np.round(random.random(units) * 4, 2)
        guess = lambda noise: np.stack([np.stack([np.ones(units), gold, y, gold * gold, y * y, gold * y], 1)  # noqa: E731
                                        for y in [np.round(gold + random.normal(size=units) * noise, 2) for _ in range(seeds)]])
        for name, rate, make, levels in (('ratio', ratio, right, (0.8, 0.6)), ('f1', f1, found, (0.9, 0.7)),
                                         ('pearson', pearson, guess, (0.5, 2))):
            a, b = make(levels[0]), make(levels[1])
            cases.append({'rate': name, 'a': a.tolist(), 'b': b.tolist(), 'interval': interval([a], rate),
                          'difference': interval([a, b], rate)})
    return cases


if __name__ == '__main__':
    golden = {
        'classes': class_cases(),
        'labels': label_cases(),
        'thresholds': threshold_cases(),
        'correlations': correlation_cases(),
        'answers': answer_cases(),
        'noAnswers': no_answer_cases(),
        'factoids': [factoid_case(1 + below(8)) for _ in range(60)],
        'yesNo': [yes_no_case(1 + below(12), i % 2 == 1) for i in range(40)],
        'entities': [entity_case(skill) for skill in (0, 0.3, 0.5, 0.7, 0.9, 1) for _ in range(4)],
        'bootstrap': bootstrap_cases(),
    }
    lines = [f'"{name}": [\n' + ',\n'.join(json.dumps(case, ensure_ascii=True, allow_nan=False) for case in cases) + '\n]'
             for name, cases in golden.items()]
    path = pathlib.Path(__file__).parent / 'metrics.json'
    path.write_text('{\n' + ',\n'.join(lines) + '\n}\n')
    print({name: len(cases) for name, cases in golden.items()}, path.stat().st_size, 'bytes')

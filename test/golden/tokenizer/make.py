"""Golden ids of the tokenizer: SentencePiece with the normalisation and the digit-comma rule of the original ALBERT.

Writes small.model (a unigram model trained here on text written here), small.json and albert.json.
usage: make.py [DATA]   DATA: the data folder with vocab/albert/spiece.model and corpus/*.txt
Needs sentencepiece (see requirements.txt beside the other golden scripts). albert.json holds ids of lines that
were written for this, most of them around words with two segmentations of nearly equal score, and SHA-256 sums
over the ids (int32, little endian) of every line of the two corpus files.
"""
import hashlib
import json
import os
import random
import sys
import unicodedata

import sentencepiece

HERE = os.path.dirname(os.path.abspath(__file__))

LINES = [
    'The BRCA1 gene, first cloned in 1994, encodes a protein of 1,863 amino acids.',
    'In 2000, 2001, and x2000, 3, 12,500 cells/mL were counted (n = 6, 7, or 8), i.e. 1,2-dichloroethane.',
    '  Tabs\tand   runs of blanks \u00a0 and\u2003wide ones\u3000are one blank.  ',
    'Caf\u00e9 au lait spots; na\u00efve T cells; Sj\u00f6gren\u2019s syndrome; \u00c5ngstr\u00f6m; \u0130stanbul; Stra\u00dfe.',
    'IFN-\u03b3 and TNF-\u03b1 rose 2\u00bd-fold (\u2265 5 \u00b5g/mL, p \u2264 0.05), \ufb01broblasts, H\u2082O, 10\u2076 cells, 37\u00b0C.',
    '\u6f22\u5b57 and \ud55c\uad6d\uc5b4 and \u0440\u0443\u0441\u0441\u043a\u0438\u0439 are unknown, \u6f22\u5b57\u6f22\u5b57, a\u6f22b.',
    'E. coli, S. aureus & "quotes" \u201ccurly\u201d \u2013 dashes \u2014 [brackets] {braces} <tags> #1 @ 5% ^ ~ | \\ `',
    '\u00a3100 or \u20ac200 -- (see Fig. 2).',
    '',
    '   ',
    'x',
    ',',
    '5,',
    'zero\u200bwidth and soft\u00adhyphen and \ufeffmark and \u0001control',
    'combining: e\u0301 o\u0308\u0301 \u0345 a\u20dd b\ufe0f \u0915\u094d\u0937',
    'THE PATIENT HAD ACUTE MYELOID LEUKAEMIA.',
    'a\u00a8b \u00b4 \u02da',
    '0' * 50 + ' ' + 'acgt' * 40,
]


def normalise(line):
    text = ' '.join(line.strip().split())
    text = unicodedata.normalize('NFKD', text)
    return ''.join(c for c in text if not unicodedata.combining(c)).lower()


def encode(model, line, digit_comma=True):
    pieces = []
    for piece in model.EncodeAsPieces(normalise(line)):
        if digit_comma and len(piece) > 1 and piece[-1] == ',' and piece[-2].isdigit():
            parts = model.EncodeAsPieces(piece[:-1].replace('▁', ''))
            if piece[0] != '▁' and parts[0][0] == '▁':
                if len(parts[0]) == 1:
                    parts = parts[1:]
                else:
                    parts[0] = parts[0][1:]
            pieces.extend(parts)
            pieces.append(',')
        else:
            pieces.append(piece)
    return [model.PieceToId(piece) for piece in pieces]


def load(path):
    model = sentencepiece.SentencePieceProcessor()
    model.Load(path)
    return model


def small():
    """A model of 600 pieces on made-up words, with a character map of its own and user-defined pieces."""
    rng = random.Random(7)
    stems = ['card', 'nephr', 'hepat', 'neur', 'derm', 'gastr', 'oste', 'arthr', 'my', 'pneum', 'encephal', 'ren']
    ends = ['itis', 'oma', 'osis', 'opathy', 'algia', 'ectomy', 'ology', 'ography', 'ic', 'al']
    common = 'the of and in with for was were a an to by after treatment patients cells study group'.split()
    # Relative names: the model file keeps them.
    os.chdir(HERE)
    text = 'small.txt'
    rules = 'small.tsv'
    with open(text, 'w', encoding='utf-8') as out:
        for _ in range(4000):
            words = []
            for _ in range(rng.randint(4, 14)):
                u = rng.random()
                if u < 0.5:
                    words.append(rng.choice(common))
                elif u < 0.8:
                    words.append(rng.choice(stems) + 'o' * rng.randint(0, 1) + rng.choice(ends))
                elif u < 0.9:
                    words.append(rng.choice(['in ', '']) + str(rng.choice([1, 2, 5, 10, 1999, 2000, 2010])) + ',')
                else:
                    words.append('(' + rng.choice(stems) + '-' + str(rng.randint(1, 9)) + ')')
            out.write(' '.join(words) + '.\n')
    # Code points: a long dash becomes a short one, two plus signs become one; a character is dropped.
    with open(rules, 'w', encoding='utf-8') as out:
        out.write('2014\t2D\n2B 2B\t2B\n7E\t\n3B1\t61 6C 70 68 61\n')
    sentencepiece.SentencePieceTrainer.Train(
        input=text,
        model_prefix='small',
        vocab_size=600,
        pad_id=0,
        unk_id=1,
        bos_id=-1,
        eos_id=-1,
        pad_piece='<pad>',
        control_symbols=['[CLS]', '[SEP]', '[MASK]'],
        user_defined_symbols=['(', ')', '-'],
        normalization_rule_tsv=rules,
        split_by_number=False,
        split_by_unicode_script=False,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    for name in (text, rules, 'small.vocab'):
        os.remove(name)
    model = load('small.model')
    lines = LINES + [
        'Nephritis, (card-5) -- 2000, cardo++algia~osis \u2014 \u03b1-hepatoma.',
        'Treatment of neuropathy in 1999, 2010, and 10, patients was gastrography-guided; myitis (ren-7).',
    ]
    for _ in range(60):
        lines.append(' '.join(rng.choice(stems) + rng.choice(ends + [',', '2000,']) for _ in range(rng.randint(1, 20))))
    write('small.json', model, lines, {})


def albert(data):
    model = load(os.path.join(data, 'vocab', 'albert', 'spiece.model'))
    with open(os.path.join(HERE, 'close_words.txt'), encoding='utf-8') as words:
        close = words.read().split()
    rng = random.Random(11)
    lines = list(LINES)
    fillers = 'the effect of this treatment on plasma levels was seen in most patients with renal disease'.split()
    for word in close:
        line = [rng.choice(fillers) for _ in range(rng.randint(0, 40))] + [word]
        line += [rng.choice(fillers + close) for _ in range(rng.randint(0, 6))]
        lines.append(' '.join(line))
    sums = {}
    for name in ('pubmed_sample.txt', 'pmc_sample.txt'):
        digest = hashlib.sha256()
        count = 0
        tokens = 0
        with open(os.path.join(data, 'corpus', name), encoding='utf-8', newline='\n') as corpus:
            for line in corpus:
                ids = encode(model, line)
                digest.update(b''.join(i.to_bytes(4, 'little') for i in ids))
                count += 1
                tokens += len(ids)
        sums[name] = {'lines': count, 'tokens': tokens, 'sha256': digest.hexdigest()}
    write('albert.json', model, lines, {'corpus': sums})


def write(name, model, lines, more):
    rows = [{'text': line, 'ids': encode(model, line)} for line in lines]
    plain = [encode(model, line, digit_comma=False) for line in LINES]
    golden = {
        'sentencepiece': sentencepiece.__version__,
        **more,
        'without_digit_comma': plain,
    }
    with open(os.path.join(HERE, name), 'w', encoding='utf-8') as out:
        head = json.dumps(golden, ensure_ascii=True, separators=(',', ':'))[1:-1]
        body = ',\n'.join(json.dumps(row, ensure_ascii=True, separators=(',', ':')) for row in rows)
        out.write('{' + head + ',"lines":[\n' + body + '\n]}\n')


small()
if len(sys.argv) > 1:
    albert(sys.argv[1])

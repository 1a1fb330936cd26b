"""Golden file of question answering: windows and positions as transformers' example (run_qa.py, prepare_train_features) has them.

    python test/golden/answers.py              # writes test/golden/answers.json

The tokenizer is BERT's over a few pieces, and is kept in the file. A text is read in windows that overlap by 128 pieces or half
(the `stride` of transformers); an answer that a window has not whole is at [CLS].
Answers have no white space around them. Each window: [number of pieces, ids..., first, last].
"""

import json
import pathlib
import random

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

OUT = pathlib.Path(__file__).parent / 'answers.json'
WORDS = ['the', 'patient', 'had', 'fever', 'and', 'cough', 'was', 'treated', '.', ',', '(', ')', '-']
LETTERS = 'abcdefghijklmnopqrstuvwxyz0123456789'
PARTS = WORDS + ['fevers', '(b1-treated),', 'F\u00e9ver', '\ufb01ne', '\U0001f9a0', 'x\u00a0y', '\u4e2d\u6587', 'covid-19', '\u00b5m', 'a,b', '\u200bcough']


def tokenizer():
    pieces = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] + WORDS + list(LETTERS) + ['##' + c for c in LETTERS]
    vocab = {piece: i for i, piece in enumerate(pieces)}
    made = Tokenizer(models.WordPiece(vocab, unk_token='[UNK]', max_input_chars_per_word=100))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'])
    kept = json.loads(made.to_str())
    made.post_processor = processors.TemplateProcessing(
        single='[CLS] $A [SEP]',
        pair='[CLS] $A [SEP] $B:1 [SEP]:1',
        special_tokens=[('[CLS]', 2), ('[SEP]', 3)],
    )
    names = dict(cls_token='[CLS]', sep_token='[SEP]', pad_token='[PAD]', unk_token='[UNK]')
    return kept, PreTrainedTokenizerFast(tokenizer_object=made, **names)


def positions(offsets, sequence, start, end):
    """Of the answer in characters [start, end), as prepare_train_features finds them."""
    first = sequence.index(1)
    last = len(sequence) - 1 - sequence[::-1].index(1)
    if not (offsets[first][0] <= start and offsets[last][1] >= end):
        return [0, 0]
    while first < len(offsets) and offsets[first][0] <= start and sequence[first] == 1:
        first += 1
    while offsets[last][1] >= end and sequence[last] == 1:
        last -= 1
    return [first - 1, last + 1]


def main():
    kept, fast = tokenizer()
    draw = random.Random(5)
    cases = []
    for length in [32, 48, 64, 384, 384]:
        for _ in range(8):
            words = [draw.choice(PARTS) for _ in range(draw.randint(5, 220))]
            k = draw.randrange(len(words))
            answer = ' '.join(words[k : k + draw.randint(1, 3)])
            # what begins or ends in a character that is dropped is another question
            if '\u200b' in answer:
                answer = words[k] = 'fever'
            start = len(' '.join(words[:k])) + (1 if k else 0)
            context = ' '.join(words)
            assert context[start : start + len(answer)] == answer
            question = ' '.join(draw.choice(WORDS) for _ in range(draw.randint(1, 8)))
            room = length - 3 - len(fast(question, add_special_tokens=False)['input_ids'])
            read = fast(
                question,
                context,
                truncation='only_second',
                max_length=length,
                stride=min(128, room // 2),
                return_overflowing_tokens=True,
                return_offsets_mapping=True,
            )
            windows = []
            for w, ids in enumerate(read['input_ids']):
                found = positions(read['offset_mapping'][w], read.sequence_ids(w), start, start + len(answer))
                windows.append([len(ids), *ids, *found])
            cases.append(
                dict(length=length, question=question, context=context, answer=answer, start=start, windows=windows)
            )
    OUT.write_text(json.dumps(dict(tokenizer=kept, cases=cases), ensure_ascii=True) + '\n')


main()

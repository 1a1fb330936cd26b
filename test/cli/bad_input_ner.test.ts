/** Bad input to finetune, evaluate and predict. Each is refused with its reason, before anything is written. */
import { suite } from 'uvu'
import { badInput } from '../support/bad_input.js'
import { toyModel } from '../support/toy_model.js'
import { toyFiles } from '../support/toy_ner.js'
import { smallPieces, smallTokenizerJson } from '../support/vocabulary.js'

const test = suite('bad input to finetune, evaluate and predict')

const toy = toyFiles({ train: 8, devel: 4, test: 4 })
const typed = toyFiles({ train: 8, devel: 4, test: 4 }, 'Sign')
const pretrained = await toyModel('p')
const tagger = await toyModel('t', ['O', 'B', 'I'])
const generic = await toyModel('g', ['LABEL_0', 'LABEL_1'])
const more = await toyModel('m', ['O', 'B', 'I', 'B-X', 'I-X'])
const damaged = await toyModel('n', ['O', 'B', 'I'], () => Number.NaN)

const words = (line: string) => line.split(' ')
const random = (...rest: string[]) =>
  words('finetune ner --data d --tokenizer v --preset nano --out o --total-steps 4').concat(rest)
const from = (model: string, ...rest: string[]) =>
  words(`finetune ner --data d --model ${model} --out o --total-steps 4`).concat(rest)
const evaluate = (model: string, ...rest: string[]) =>
  words(`evaluate ner --data d/test.tsv --model ${model}`).concat(rest)
const text = (value: Uint8Array) => Buffer.from(value).toString()
/** The same files without one of them. */
const without = (files: Record<string, string | Uint8Array>, name: string) =>
  Object.fromEntries(Object.entries(files).filter(([path]) => path !== name))

badInput(test, [
  // finetune: arguments
  {
    name: 'finetune: neither a model nor a vocabulary',
    argv: words('finetune ner --data d --out o --preset nano --json'),
    files: toy,
    status: 2,
    says: [/--model/, /--tokenizer/],
  },
  {
    name: 'finetune: a model and a vocabulary',
    argv: from('p', '--tokenizer', 'v'),
    files: { ...toy, ...pretrained },
    status: 2,
    says: [/--model/, /--tokenizer/],
  },
  {
    name: 'finetune: random weights of no size',
    argv: words('finetune ner --data d --tokenizer v --out o'),
    files: toy,
    status: 2,
    says: /--preset/,
  },
  {
    name: 'finetune: a preset that there is none of',
    argv: words('finetune ner --data d --tokenizer v --out o --preset tiny'),
    files: toy,
    status: 2,
    says: [/tiny/, /nano, mini, base/],
  },
  {
    name: 'finetune: a preset that the model is not of',
    argv: from('p', '--preset', 'base'),
    files: { ...toy, ...pretrained },
    status: 2,
    says: [/p is not of preset base/, /64, not 768/],
  },
  {
    name: 'finetune: a task that there is none of',
    argv: words('finetune poetry --data d --tokenizer v --out o'),
    files: toy,
    status: 2,
    says: /poetry/,
  },
  {
    name: 'finetune: epochs and steps at once',
    argv: random('--epochs', '2'),
    files: toy,
    status: 2,
    says: [/--epochs/, /--total-steps/],
  },
  {
    name: 'finetune: more warm-up than steps',
    argv: random('--warmup', '10', '--json'),
    files: toy,
    status: 2,
    says: [/10/, /4 steps/],
  },
  {
    name: 'finetune: a learning rate of nothing',
    argv: random('--learning-rate', '0'),
    files: toy,
    status: 2,
    says: /learning-rate/,
  },
  {
    name: 'finetune: windows longer than the model has positions',
    argv: from('p', '--max-length', '65'),
    files: { ...toy, ...pretrained },
    status: 2,
    says: [/65/, /64 positions/],
  },
  {
    name: 'finetune: rows that do not hold a window',
    argv: random('--rows', '64', '--max-length', '128'),
    files: toy,
    status: 2,
    says: [/--rows is 64/, /128/],
  },
  {
    name: 'finetune: dropout of everything',
    argv: random('--dropout', '1'),
    files: toy,
    status: 2,
    says: /dropout is 1/,
  },
  {
    name: 'finetune: more memory than there is',
    argv: random('--rows', '1000000000', '--json'),
    files: toy,
    status: 1,
    says: [/not enough memory/, /GiB/, /--rows/],
  },
  {
    name: 'finetune: an output folder with something in it',
    argv: random(),
    files: { ...toy, 'o/notes': 'mine' },
    status: 2,
    says: /^bioalbert: o: .*not empty/m,
  },
  {
    name: 'finetune: an output folder that is a file',
    argv: random(),
    files: { ...toy, o: 'mine' },
    status: 2,
    says: /^bioalbert: o: is a file/m,
  },
  // finetune: data
  {
    name: 'finetune: data that are not there',
    argv: random(),
    files: { 'v/tokenizer.json': toy['v/tokenizer.json'] },
    status: 1,
    says: [/^bioalbert: d: /m, /train\.tsv/],
  },
  {
    name: 'finetune: no file to choose by',
    argv: random(),
    files: without(toy, 'd/devel.tsv'),
    status: 1,
    says: [/devel\.tsv/, /dev\.tsv/],
  },
  {
    name: 'finetune: no file to score',
    argv: random('--json'),
    files: without(toy, 'd/test.tsv'),
    status: 1,
    says: [/d\/test\.tsv/, /no such file/],
  },
  {
    name: 'finetune: a row of one column',
    argv: random(),
    files: { ...toy, 'd/train.tsv': `the\tO\nfever\n\n${toy['d/train.tsv']}` },
    status: 1,
    says: /d\/train\.tsv:2: found "fever"/,
  },
  {
    name: 'finetune: a tag of another scheme',
    argv: random('--json'),
    files: { ...toy, 'd/devel.tsv': 'the\tO\n\nbad\tO\nfever\tS-Sign\n' },
    status: 1,
    says: [/d\/devel\.tsv:4: found tag "S-Sign"/, /expected O or one of B-Sign, I-Sign .*IOB2 fits best/],
  },
  {
    name: 'finetune: an empty training file',
    argv: random(),
    files: { ...toy, 'd/train.tsv': '' },
    status: 1,
    says: /d\/train\.tsv: found no labelled word/,
  },
  {
    name: 'finetune: training words that are all O',
    argv: random(),
    files: { ...toy, 'd/train.tsv': 'the\tO\npatient\tO\n' },
    status: 1,
    says: /d\/train\.tsv: found O tags only/,
  },
  {
    name: 'finetune: a type that the training file has not',
    argv: random(),
    files: { ...typed, 'd/test.tsv': 'the\tO\nfever\tB-Sign\n\nzinc\tB-Drug\n' },
    status: 1,
    says: [/d\/test\.tsv:4: found tag "B-Drug"/, /d\/train\.tsv/, /B-Sign/],
  },
  {
    name: 'finetune: tags without types beside tags with them',
    argv: random(),
    files: { ...toy, 'd/test.tsv': typed['d/test.tsv'] },
    status: 1,
    says: [/d\/train\.tsv/, /d\/test\.tsv/, /type/],
  },
  // finetune: models
  {
    name: 'finetune: a vocabulary folder without one',
    argv: random(),
    files: { ...without(toy, 'v/tokenizer.json'), 'v/readme': '' },
    status: 1,
    says: /v\/tokenizer\.json/,
  },
  {
    name: 'finetune: a folder that holds no model',
    argv: from('v', '--json'),
    files: toy,
    status: 1,
    says: /v\/config\.json: found no such file/,
  },
  {
    name: 'finetune: a model of another family',
    argv: from('p'),
    files: {
      ...toy,
      ...pretrained,
      'p/config.json': text(pretrained['p/config.json']).replace('"albert"', '"roberta"'),
    },
    status: 1,
    says: [/p\/config\.json/, /roberta/, /ALBERT or BERT/],
  },
  {
    name: 'finetune: weights cut short',
    argv: from('p'),
    files: { ...toy, ...pretrained, 'p/model.safetensors': pretrained['p/model.safetensors'].slice(0, 5000) },
    status: 1,
    says: /p\/model\.safetensors/,
  },
  {
    name: 'finetune: weights of other sizes than the configuration says',
    argv: from('p'),
    files: {
      ...toy,
      ...pretrained,
      'p/config.json': text(pretrained['p/config.json']).replace(
        '"intermediate_size": 256',
        '"intermediate_size": 512',
      ),
    },
    status: 1,
    says: [/p\/model\.safetensors/, /\[256,64\]/, /\[512,64\]/],
  },
  {
    name: 'finetune: a model without its vocabulary',
    argv: from('p'),
    files: { ...toy, ...without(pretrained, 'p/tokenizer.json') },
    status: 1,
    says: /p: found no tokenizer\.json/,
  },
  {
    name: 'finetune: a vocabulary of another size than the model has',
    argv: from('p'),
    files: { ...toy, ...pretrained, 'p/tokenizer.json': smallTokenizerJson([...smallPieces, 'aspirin']) },
    status: 1,
    says: [/vocabulary of 89/, /90/],
  },
  {
    name: 'finetune: a vocabulary of the same size that is not the one',
    argv: from('p'),
    files: {
      ...toy,
      ...pretrained,
      'p/tokenizer.json': smallTokenizerJson([...smallPieces.slice(0, -1), 'aspirin']),
    },
    status: 1,
    says: /vocabulary/,
  },
  {
    name: 'finetune: a checkpoint of another kind of run',
    argv: random('--resume'),
    files: {
      ...toy,
      'o/checkpoint-2/state.json':
        '{"format": "bioalbert-checkpoint", "version": 1, "kind": "pretrain", "step": 2}',
    },
    status: 1,
    says: [/o\/checkpoint-2\/state\.json/, /pretrain/],
  },
  // evaluate
  {
    name: 'evaluate: no model',
    argv: words('evaluate ner --data d/test.tsv'),
    files: toy,
    status: 2,
    says: /--model/,
  },
  {
    name: 'evaluate: a model that was only pretrained',
    argv: evaluate('p', '--json'),
    files: { ...toy, ...pretrained },
    status: 1,
    says: [/p\/config\.json/, /id2label/, /finetune/],
  },
  {
    name: 'evaluate: a classifier whose labels are no tags',
    argv: evaluate('g'),
    files: { ...toy, ...generic },
    status: 1,
    says: [/g\/config\.json/, /LABEL_0/],
  },
  {
    name: 'evaluate: label names without a classifier',
    argv: evaluate('p'),
    files: { ...toy, ...pretrained, 'p/config.json': tagger['t/config.json'] },
    status: 1,
    says: [/p\/model\.safetensors/, /classifier\.weight/],
  },
  {
    name: 'evaluate: a classifier of fewer labels than there are names',
    argv: evaluate('t'),
    files: { ...toy, ...tagger, 't/config.json': more['m/config.json'] },
    status: 1,
    says: [/classifier/, /\[3,64\]/, /\[5,64\]/],
  },
  {
    name: 'evaluate: a file of other labels than the model has',
    argv: evaluate('t'),
    files: { ...typed, ...tagger },
    status: 1,
    says: [/d\/test\.tsv:\d+: found tag "B-Sign"/, /O, B, I/],
  },
  {
    name: 'evaluate: a file that is not there',
    argv: words('evaluate ner --data nothing.tsv --model t --json'),
    files: tagger,
    status: 1,
    says: /nothing\.tsv: found no such file/,
  },
  // predict
  {
    name: 'predict: a file and a text',
    argv: words('predict in.txt --model t --text fever'),
    files: { ...tagger, 'in.txt': 'fever' },
    status: 2,
    says: /--text/,
  },
  {
    name: 'predict: JSON in another format',
    argv: words('predict --model t --text fever --format conll --json'),
    files: tagger,
    status: 2,
    says: /conll/,
  },
  {
    name: 'predict: a format that there is none of',
    argv: words('predict --model t --text fever --format words'),
    files: tagger,
    status: 2,
    says: /text, jsonl, conll/,
  },
  {
    name: 'predict: a file that is not there',
    argv: words('predict in.txt --model t --json'),
    files: tagger,
    status: 1,
    says: /in\.txt/,
  },
  {
    name: 'predict: a text that is not UTF-8',
    argv: words('predict in.txt --model t'),
    files: { ...tagger, 'in.txt': Uint8Array.of(0x61, 0x0a, 0x62, 0xff, 0x0a) },
    status: 1,
    says: /in\.txt:2: found bytes that are not UTF-8/,
  },
  {
    name: 'predict: a model that was only pretrained',
    argv: words('predict --model p --text fever'),
    files: pretrained,
    status: 1,
    says: /id2label/,
  },
  {
    name: 'predict: weights that are no numbers',
    argv: words('predict --model n --text fever --json'),
    files: damaged,
    status: 1,
    says: /weights are damaged/,
  },
  {
    name: 'predict: a task file of something else',
    argv: words('predict --model t --text fever'),
    files: { ...tagger, 't/task.json': '{"task": "qa"}' },
    status: 1,
    says: /t\/task\.json/,
  },
  {
    name: 'predict: windows of two pieces',
    argv: words('predict --model t --text fever --max-length 2'),
    files: tagger,
    status: 2,
    says: /max-length/,
  },
])

test.run()

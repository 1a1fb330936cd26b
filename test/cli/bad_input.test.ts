/** Bad input to the commands that make data: vocabularies, corpora, instances. Each is refused with its reason. */
import { suite } from 'uvu'
import { badInput } from '../support/bad_input.js'
import { smallCorpus, smallPieces, smallTokenizerJson, smallVocabTxt } from '../support/vocabulary.js'

const test = suite('bad input to the data commands')

const latin1 = Uint8Array.of(0x66, 0x6f, 0xff, 0x6f, 0x0a)
const noise = Uint8Array.from({ length: 4096 }, (_, i) => (i * 167 + (i >> 3)) & 255)
const tokenizer = { 'v/tokenizer.json': smallTokenizerJson() }
const corpus = { 'c.txt': smallCorpus(20) }
const instances = (...more: string[]) =>
  'instances --corpus c.txt --tokenizer v --out i'.split(' ').concat(more)

badInput(test, [
  // instances: arguments
  {
    name: 'instances without a corpus',
    argv: ['instances', '--tokenizer', 'v', '--out', 'i'],
    status: 2,
    says: /--corpus/,
  },
  {
    name: 'instances: a sequence length that is no number',
    argv: instances('--seq-length', 'long'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /seq/,
  },
  {
    name: 'instances: sequences too short to hold a pair',
    argv: instances('--seq-length', '4', '--json'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /4/,
  },
  {
    name: 'instances: no predictions at all',
    argv: instances('--max-predictions', '0'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /predictions/,
  },
  {
    name: 'instances: more predictions than pieces',
    argv: instances('--seq-length', '32', '--max-predictions', '64'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /predictions/,
  },
  {
    name: 'instances: a probability above 1',
    argv: instances('--short-seq-prob', '1.5'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /1\.5/,
  },
  {
    name: 'instances: a negative share held out',
    argv: instances('--heldout', '-0.1'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /-0\.1/,
  },
  {
    name: 'instances: no copies',
    argv: instances('--dupe-factor', '0'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /dupe/,
  },
  {
    name: 'instances: no workers',
    argv: instances('--workers', '0'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /workers/,
  },
  {
    name: 'instances: masking of an unknown kind',
    argv: instances('--masking', 'sometimes'),
    files: { ...tokenizer, ...corpus },
    status: 2,
    says: /static, dynamic/,
  },
  // instances: files
  {
    name: 'instances: a corpus that is not there',
    argv: instances('--json'),
    files: tokenizer,
    status: 1,
    says: /c\.txt/,
  },
  {
    name: 'instances: an empty corpus',
    argv: instances(),
    files: { ...tokenizer, 'c.txt': '' },
    status: 1,
    says: [/c\.txt/, /empty/],
  },
  {
    name: 'instances: a corpus of blank lines',
    argv: instances(),
    files: { ...tokenizer, 'c.txt': '\n\n \n' },
    status: 1,
    says: /c\.txt/,
  },
  {
    name: 'instances: a corpus that is not UTF-8',
    argv: instances(),
    files: { ...tokenizer, 'c.txt': latin1 },
    status: 1,
    says: [/c\.txt/, /UTF-8/],
  },
  {
    name: 'instances: a corpus that is a folder',
    argv: instances(),
    files: { ...tokenizer, 'c.txt/x': '' },
    status: 1,
    says: /c\.txt/,
  },
  {
    name: 'instances: a tokenizer folder that is not there',
    argv: instances(),
    files: corpus,
    status: 1,
    says: /v\/tokenizer\.json/,
  },
  {
    name: 'instances: a tokenizer.json cut short',
    argv: instances(),
    files: { ...corpus, 'v/tokenizer.json': smallTokenizerJson().slice(0, 300) },
    status: 1,
    says: [/v\/tokenizer\.json/, /JSON/],
  },
  {
    name: 'instances: a tokenizer of a kind that ALBERT and BERT do not use',
    argv: instances(),
    files: { ...corpus, 'v/tokenizer.json': '{"model":{"type":"BPE","vocab":{}}}' },
    status: 1,
    says: [/BPE/, /Unigram/],
  },
  {
    name: 'instances: a tokenizer without a mask piece',
    argv: instances(),
    files: { ...corpus, 'v/tokenizer.json': smallTokenizerJson(smallPieces.filter((p) => p !== '[MASK]')) },
    status: 1,
    says: /\[MASK\]/,
  },
  {
    name: 'instances: a folder that exists is not written over',
    argv: instances(),
    files: { ...tokenizer, ...corpus, 'i/precious': 'x' },
    status: 2,
    says: /\bi: /,
  },

  // vocab
  { name: 'vocab without saying what', argv: ['vocab'], status: 2, says: /a command is missing/ },
  {
    name: 'vocab import without a folder to write',
    argv: ['vocab', 'import', 'vocab.txt'],
    files: { 'vocab.txt': smallVocabTxt },
    status: 2,
    says: /--out/,
  },
  {
    name: 'vocab import of a file that is not there',
    argv: ['vocab', 'import', 'spiece.model', '--out', 'v', '--json'],
    status: 1,
    says: /spiece\.model/,
  },
  {
    name: 'vocab import of an empty spiece.model',
    argv: ['vocab', 'import', 'spiece.model', '--out', 'v'],
    files: { 'spiece.model': '' },
    status: 1,
    says: /spiece\.model/,
  },
  {
    name: 'vocab import of noise',
    argv: ['vocab', 'import', 'spiece.model', '--out', 'v'],
    files: { 'spiece.model': noise },
    status: 1,
    says: /spiece\.model/,
  },
  {
    name: 'vocab import of an empty vocab.txt',
    argv: ['vocab', 'import', 'vocab.txt', '--out', 'v'],
    files: { 'vocab.txt': '' },
    status: 1,
    says: /vocab\.txt/,
  },
  {
    name: 'vocab import of a vocab.txt with a piece twice',
    argv: ['vocab', 'import', 'vocab.txt', '--out', 'v'],
    files: { 'vocab.txt': `${smallVocabTxt}fever\n` },
    status: 1,
    says: [/vocab\.txt:\d+/, /fever/],
  },
  {
    name: 'vocab import of a vocab.txt with a hole',
    argv: ['vocab', 'import', 'vocab.txt', '--out', 'v'],
    files: { 'vocab.txt': smallVocabTxt.replace('fever\n', '\n') },
    status: 1,
    says: /vocab\.txt:\d+/,
  },
  {
    name: 'vocab import of a vocab.txt without special pieces',
    argv: ['vocab', 'import', 'vocab.txt', '--out', 'v'],
    files: { 'vocab.txt': 'fever\ncough\n' },
    status: 1,
    says: /\[MASK\]/,
  },
  {
    name: 'vocab import of a vocab.txt that is not UTF-8',
    argv: ['vocab', 'import', 'vocab.txt', '--out', 'v'],
    files: { 'vocab.txt': latin1 },
    status: 1,
    says: [/vocab\.txt/, /UTF-8/],
  },
  {
    name: 'vocab import into a path that is a file',
    argv: ['vocab', 'import', 'vocab.txt', '--out', 'v'],
    files: { 'vocab.txt': smallVocabTxt, v: 'a file' },
    status: 2,
    says: /\bv: is a file/,
  },
  {
    name: 'vocab train on a file that is not there',
    argv: ['vocab', 'train', 'c.txt', '--out', 'v', '--size', '100'],
    status: 1,
    says: /c\.txt/,
  },
  {
    name: 'vocab train on an empty file',
    argv: ['vocab', 'train', 'c.txt', '--out', 'v', '--size', '100'],
    files: { 'c.txt': '' },
    status: 1,
    says: /c\.txt/,
  },
  {
    name: 'vocab train on text that is not UTF-8',
    argv: ['vocab', 'train', 'c.txt', '--out', 'v', '--size', '100'],
    files: { 'c.txt': latin1 },
    status: 1,
    says: [/c\.txt/, /UTF-8/],
  },
  {
    name: 'vocab train of a size that is no number',
    argv: ['vocab', 'train', 'c.txt', '--out', 'v', '--size', 'many'],
    files: corpus,
    status: 2,
    says: /size/,
  },
  {
    name: 'vocab train of fewer pieces than the special ones',
    argv: ['vocab', 'train', 'c.txt', '--out', 'v', '--size', '3'],
    files: corpus,
    status: 2,
    says: /3/,
  },

  // corpus
  {
    name: 'corpus without a file',
    argv: ['corpus', '--out', 'o.txt'],
    status: 2,
    says: /path/,
  },
  {
    name: 'corpus of a file that is not there',
    argv: ['corpus', 'in.txt', '--out', 'o.txt', '--json'],
    status: 1,
    says: /in\.txt/,
  },
  {
    name: 'corpus of an empty file',
    argv: ['corpus', 'in.txt', '--out', 'o.txt'],
    files: { 'in.txt': '' },
    status: 1,
    says: /in\.txt/,
  },
  {
    name: 'corpus of text that is not UTF-8',
    argv: ['corpus', 'in.txt', '--out', 'o.txt'],
    files: { 'in.txt': latin1 },
    status: 1,
    says: [/in\.txt/, /UTF-8/],
  },
  {
    name: 'corpus of a second file that is bad leaves nothing of the first where that is asked for',
    argv: ['corpus', 'in.txt', 'bad.txt', '--out', 'o.txt', '--strict'],
    files: { 'in.txt': smallCorpus(3), 'bad.txt': latin1 },
    status: 1,
    says: /bad\.txt: byte \d+: found bytes that are not UTF-8/,
  },
  {
    name: 'corpus of XML that is no article says that it is XML',
    argv: ['corpus', 'in.xml', '--out', 'o.txt'],
    files: { 'in.xml': '<?xml version="1.0"?>\n<svg></svg>\n' },
    status: 1,
    says: [/in\.xml/, /XML/],
  },
  {
    name: 'corpus into a folder that is not there',
    argv: ['corpus', 'in.txt', '--out', 'in.txt/o.txt'],
    files: { 'in.txt': smallCorpus(3) },
    status: 1,
    says: /in\.txt/,
  },
])

test.run()

/** Ragged micro-batches of windows: what is packed where, and the order of an epoch. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../../src/data/tokenizer/tokenizer_node.js'
import { tokenHead } from '../../../src/model/token_classification.js'
import type { NerExample } from '../../../src/tasks/entities/windows.js'
import { entities } from '../../../src/tasks/entities.js'
import { collate, epochOrder, pack } from '../../../src/training/finetuning/batches.js'
import { folderWith } from '../../support/temporary.js'
import { toySentences } from '../../support/toy_ner.js'
import { smallTokenizerJson } from '../../support/vocabulary.js'

const test = suite('batches of labelled sentences')

const folder = folderWith({ 'v/tokenizer.json': smallTokenizerJson() })
const tokenizer = loadTokenizer(`${folder}/v`)
const sentences = toySentences(5, 40).map((sentence) => ({ ...sentence, line: 1 }))
const labels = ['O', 'B', 'I']

test('every sequence is packed once, in order, within the rows', () => {
  const lengths = [5, 9, 3, 12, 1, 11, 12, 2]
  const order = [7, 3, 1, 0, 2, 5, 6, 4]
  const runs = pack(lengths, order, 12)
  assert.equal(runs.flat().join(), order.join())
  for (const run of runs) assert.ok(run.reduce((n, i) => n + lengths[i], 0) <= 12)
  // no run could have taken the first sequence of the next one
  for (let r = 0; r + 1 < runs.length; r++)
    assert.ok(runs[r].reduce((n, i) => n + lengths[i], 0) + lengths[runs[r + 1][0]] > 12)
})

test('a sequence longer than the rows is refused', () => {
  assert.throws(() => pack([4, 13], [0, 1], 12), /sequence 1 has 13 rows/)
})

test('a word of the batch finds its own first piece and label', () => {
  for (const maxLength of [8, 64]) {
    const context = { form: 'words', labels, tokenizer, maxLength, fitted: {} }
    const examples = entities.examples(sentences, context, true) as NerExample[]
    const { inputs, scalars } = collate(tokenHead, examples, maxLength, true)
    assert.is(scalars.sequences, examples.length)
    assert.is(inputs.cu_seqlens.length, examples.length + 1)
    assert.is(inputs.cu_seqlens[examples.length], scalars.rows)
    assert.is(scalars.scored, sentences.flatMap(({ words }) => words).length)
    let word = 0
    examples.forEach((example, b) => {
      const start = inputs.cu_seqlens[b]
      assert.is(inputs.ids[start], tokenizer.special.cls)
      assert.is(inputs.ids[inputs.cu_seqlens[b + 1] - 1], tokenizer.special.sep)
      for (let p = 0; p < example.ids.length; p++) assert.is(inputs.positions[start + p], p)
      for (const index of example.words) {
        const { words, tags } = sentences[example.item]
        assert.is(inputs.ids[inputs.scored_rows[word]], tokenizer.encode(words[index])[0])
        assert.is(labels[inputs.targets[word]], tags[index])
        word++
      }
    })
    assert.is(word, scalars.scored)
  }
})

test('each epoch has an order of its own, which the seed gives again', () => {
  const first = epochOrder(100, 1, 0)
  assert.equal([...first].sort((a, b) => a - b).join(), [...first.keys()].join())
  assert.equal(first.join(), epochOrder(100, 1, 0).join())
  assert.is.not(first.join(), epochOrder(100, 1, 1).join())
  assert.is.not(first.join(), epochOrder(100, 2, 0).join())
})

test.run()

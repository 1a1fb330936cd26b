/** The published scores that stand beside ours: known sets, plausible values, kinds apart. */
import { readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { publishedFor, publishedGain, publishedScores } from '../../src/evaluation/published.js'
import { gains2022, quoted2020 } from '../../src/evaluation/published_scores.js'
import { dataSets } from '../../src/tasks/datasets.js'
import { noSharedData, sharedFile } from '../support/shared_data.js'
import { skip } from '../support/skip.js'

const test = suite('evaluation: published scores')

test('every score is of a known set or of BLURB, a fraction, and with its source', () => {
  const known = new Set([...dataSets.map(({ name }) => name), 'BLURB'])
  for (const { set, value, source } of publishedScores) {
    assert.ok(known.has(set), set)
    assert.ok(value > 0.5 && value < 1, `${set} ${value}`)
    assert.ok(source.length > 10)
  }
  for (const set of Object.keys(gains2022)) assert.ok(known.has(set), set)
})

test('what BioALBERT’s table says of itself is paper-style, what it quotes of others is entity-level', () => {
  const ncbi = publishedFor(['NCBI-disease']).filter(({ source }) => source.includes('table V'))
  for (const { model, kind } of ncbi)
    assert.is(kind, model.startsWith('BioALBERT') ? 'paper-style' : 'entity-level', model)
  assert.is(ncbi.filter(({ kind }) => kind === 'paper-style').length, 4)
  assert.equal(
    publishedScores.filter(({ kind, model }) => kind === 'paper-style' && !model.startsWith('BioALBERT')),
    [],
  )
})

test('F1 of the quoted triples is the harmonic mean of their precision and recall', () => {
  for (const [set, models] of Object.entries(quoted2020))
    for (const [model, [p, r, f1]] of Object.entries(models)) {
      // the best before is the best of several papers, precision and recall of which need not be of one model
      if (model === 'SOTA') continue
      assert.ok(
        Math.abs((2 * p * r) / (p + r) - f1) < 0.02,
        `${set} ${model}: ${(2 * p * r) / (p + r)} ${f1}`,
      )
    }
})

test('gains are in points, for the sets that the text names', () => {
  assert.is(publishedGain('BC2GM'), 12.25)
  assert.is(publishedGain('GAD'), undefined)
})

const file = sharedFile('published_scores.json')
const name = 'the table holds what the collected scores hold, number for number'
if (file === undefined) skip(test, name, noSharedData)
else
  test(name, () => {
    const json = JSON.parse(readFileSync(file, 'utf8')) as Record<string, Record<string, unknown>>
    const collected: number[] = []
    const gather = (value: unknown, key = ''): void => {
      if (typeof value === 'number' && !['precision', 'recall'].includes(key)) collected.push(value)
      else if (typeof value === 'object' && value !== null)
        for (const [inner, one] of Object.entries(value)) gather(one, inner)
    }
    for (const part of ['bioalbert_2020_table_v', 'entity_level_references', 'other_tasks'])
      gather(json[part])
    const ours = publishedScores.map(({ value }) => Number((100 * value).toFixed(4)))
    assert.equal(ours.sort(), collected.sort())
  })

test.run()

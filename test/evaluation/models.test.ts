/** Models as a person names them: folders, names, random weights, checkpoints along pretraining. */
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { chooseModels } from '../../src/evaluation/models.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import { readVocabularyContents, saveModel } from '../../src/model/folder.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import { folderWith } from '../support/temporary.js'
import { smallTokenizerJson } from '../support/vocabulary.js'

const test = suite('evaluation: models')

const root = folderWith({ 'v/tokenizer.json': smallTokenizerJson() })
const vocabulary = join(root, 'v')
const plain = { checkpoints: false }

async function writeModel(dir: string, value: number): Promise<void> {
  const tokenizer = loadTokenizer(vocabulary)
  const config = preset('nano', tokenizer.size)
  const parameters = new ParameterSet()
  declarePretraining(parameters, config)
  mkdirSync(dir, { recursive: true })
  await saveModel(dir, {
    ...{ config, architecture: 'AlbertForPreTraining', parameters },
    data: new Float32Array(parameters.arenaElements).fill(value),
    vocabulary: readVocabularyContents(vocabulary),
    vocabularyDigest: tokenizer.digest,
  })
}

await writeModel(join(root, 'run'), 1)
await writeModel(join(root, 'run/checkpoint-200'), 2)
await writeModel(join(root, 'run/checkpoint-50'), 3)
const runFolder = join(root, 'run')

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}

test('a folder is called by its own name or by the one that is given', () => {
  const [own, named] = chooseModels([runFolder, `BioALBERT=${runFolder}`], plain)
  assert.equal([own.name, named.name, own.dir], ['run', 'BioALBERT', runFolder])
  assert.equal(own.start, { model: runFolder })
  assert.is(own.digest, named.digest)
  assert.is(own.step, undefined)
})

test('parameters are those of the encoder: the same for weights in a folder and for random ones', () => {
  const [folder, random] = chooseModels([runFolder, 'random:nano'], { ...plain, tokenizer: vocabulary })
  assert.is(folder.parameters, random.parameters)
  assert.equal(random.start, { preset: 'nano', tokenizer: vocabulary })
  assert.is(random.name, 'random-nano')
})

test('other sizes over the same vocabulary are other weights', () => {
  const [nano, mini] = chooseModels(['random:nano', 'random:mini'], { ...plain, tokenizer: vocabulary })
  assert.is.not(nano.digest, mini.digest)
})

test('with checkpoints a run stands for each of them, by step', () => {
  const models = chooseModels([`pubmed=${runFolder}`], { checkpoints: true })
  assert.equal(
    models.map(({ name, step }) => [name, step]),
    [
      ['pubmed@50', 50],
      ['pubmed@200', 200],
    ],
  )
  assert.is.not(models[0].digest, models[1].digest)
  assert.equal(models[0].start, { model: join(runFolder, 'checkpoint-50') })
})

test('beside a run with checkpoints a plain model may stand; where nothing has any, that is refused', async () => {
  const bare = join(root, 'bare')
  await writeModel(bare, 4)
  const models = chooseModels([bare, runFolder], { checkpoints: true })
  assert.equal(
    models.map(({ name }) => name),
    ['bare', 'run@50', 'run@200'],
  )
  assert.match(
    refusal(() => chooseModels([bare], { checkpoints: true })),
    /--checkpoints: none in .*bare/,
  )
})

test('names that are no folder’s, names that are taken and random weights without a vocabulary are refused', () => {
  const odd = join(root, 'odd name')
  cpSync(runFolder, odd, { recursive: true })
  assert.match(
    refusal(() => chooseModels([odd], plain)),
    /is called odd name \(want letters, digits/,
  )
  assert.match(
    refusal(() => chooseModels([runFolder, `run=${odd}`], plain)),
    /both are called run; give them names: NAME=DIR/,
  )
  assert.match(
    refusal(() => chooseModels(['random:nano'], plain)),
    /random weights want a --tokenizer DIR/,
  )
})

test.run()

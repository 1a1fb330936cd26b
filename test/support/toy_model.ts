/** Model folders with random weights over the small vocabulary, as files for tests of what is refused. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import { readVocabularyContents, saveModel } from '../../src/model/folder.js'
import { declarePretraining } from '../../src/model/pretraining.js'
import { tokenHead } from '../../src/model/token_classification.js'
import { folderWith, temporaryFolder } from './temporary.js'
import { smallTokenizerJson } from './vocabulary.js'

/**
 * The files of a nano model under `name/`: a tagger with these labels, or a pretraining model without any.
 * `value` gives the weights by their place in the arena.
 */
export async function toyModel(
  name: string,
  labels?: readonly string[],
  value = (place: number) => Math.sin(place) / 50,
): Promise<Record<string, Uint8Array>> {
  const vocabularyDir = join(folderWith({ 'v/tokenizer.json': smallTokenizerJson() }), 'v')
  const tokenizer = loadTokenizer(vocabularyDir)
  const config = preset('nano', tokenizer.size, { maxPositions: 64 })
  const parameters = new ParameterSet()
  if (labels) tokenHead.declare(parameters, config, labels.length)
  else declarePretraining(parameters, config)
  const dir = temporaryFolder()
  await saveModel(dir, {
    config,
    architecture: labels ? 'AlbertForTokenClassification' : 'AlbertForPreTraining',
    labels,
    parameters,
    data: Float32Array.from({ length: parameters.arenaElements }, (_, i) => value(i)),
    vocabulary: readVocabularyContents(vocabularyDir),
    vocabularyDigest: tokenizer.digest,
  })
  return Object.fromEntries(
    readdirSync(dir).map((file) => [`${name}/${file}`, readFileSync(join(dir, file))]),
  )
}

/** Vocabulary and instances of a small made-up language, for tests of pretraining: order and words can be learned. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildInstances } from '../../src/data/instances/build.js'
import type { Pairs } from '../../src/data/instances/instances.js'
import { random } from './random.js'
import { temporaryFolder } from './temporary.js'
import { smallTokenizerJson } from './vocabulary.js'

export interface PretrainingData {
  /** A folder with all of it: vocabulary v, instances i. */
  readonly folder: string
  readonly tokenizer: string
  readonly instances: string
}

/** Documents that tell the same three things in the same order; only who they are about differs. */
function corpus(documents: number): string {
  const { pick } = random(5)
  return Array.from({ length: documents }, () => {
    const who = pick(['the patient', 'patients', 'the patients'])
    return `${who} had fever and cough .\n${who} was treated , and treated .\n${who} had the fever with the cough .\n`
  }).join('\n')
}

/** Instances of at most 48 pieces, as the commands would make them. */
export async function pretrainingData(
  options: { documents?: number; masking?: 'static' | 'dynamic'; maxLength?: number; pairs?: Pairs } = {},
): Promise<PretrainingData> {
  const folder = temporaryFolder()
  const tokenizer = join(folder, 'v')
  const instances = join(folder, 'i')
  mkdirSync(tokenizer)
  writeFileSync(join(tokenizer, 'tokenizer.json'), smallTokenizerJson())
  writeFileSync(join(folder, 'c.txt'), corpus(options.documents ?? 200))
  await buildInstances({
    corpus: [join(folder, 'c.txt')],
    tokenizerDir: tokenizer,
    out: instances,
    maxLength: options.maxLength ?? 48,
    maxPredictions: 8,
    dupeFactor: 4,
    heldOut: 0.2,
    masking: options.masking ?? 'static',
    pairs: options.pairs,
  })
  return { folder, tokenizer, instances }
}

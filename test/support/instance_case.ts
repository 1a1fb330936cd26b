/**
 * Instances made from documents in which no token occurs twice, so that a token tells where it comes from, and taken
 * apart again.
 */
import type { TokenDocument } from '../../src/data/instances/document_shard.js'
import { InstanceMaker, type InstanceOptions } from '../../src/data/instances/instances.js'
import { type Instance, InstanceBuffer } from '../../src/data/instances/shard.js'

export const special = { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 }
const V = 60_000

/** A maker over these documents with the options of the papers, but for a length of 64. */
export function makerOf(docs: TokenDocument[], more: Partial<InstanceOptions> = {}): InstanceMaker {
  return new InstanceMaker({
    seed: 1,
    maxLength: 64,
    maxPredictions: 20,
    probability: 0.15,
    shortProbability: 0.1,
    singleSentence: 'random_document',
    vocabularySize: V,
    special,
    startsWord: new Uint8Array(V).fill(1),
    documents: { count: docs.length, document: (index) => docs[index] },
    ...more,
  })
}

/** The instances of every document. */
export function instancesOf(
  docs: TokenDocument[],
  more: Partial<InstanceOptions> = {},
  pass = 0,
): Instance[][] {
  const maker = makerOf(docs, more)
  return docs.map((document, index) => {
    const out = new InstanceBuffer(2)
    maker.make(document, index, pass, out)
    const shard = out.shard()
    return Array.from({ length: shard.count }, (_, i) => shard.instance(i))
  })
}

/** The ids with the masks taken off. */
export function unmasked({ ids, positions, labels }: Instance): number[] {
  const clear = [...ids]
  positions.forEach((position, i) => {
    clear[position] = labels[i]
  })
  return clear
}

/** Sentences as the padded batches of the peers on ONNX Runtime, sorted by length, and their logits back in order. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from '../../dist/src/files.js'

/** Batches of `size` sentences of sentences.json: `feeds(tensor)` makes input_ids, attention_mask, token_type_ids. */
export function readBatches(folder, size) {
  const sentences = JSON.parse(readFileSync(join(folder, 'sentences.json'), 'utf8'))
  const order = sentences.map((_, i) => i).sort((a, b) => sentences[b].length - sentences[a].length)
  const batches = []
  for (let first = 0; first < order.length; first += size) {
    const chosen = order.slice(first, first + size)
    const length = sentences[chosen[0]].length
    const ids = new BigInt64Array(chosen.length * length)
    const mask = new BigInt64Array(ids.length)
    chosen.forEach((i, b) => {
      sentences[i].forEach((id, t) => {
        ids[b * length + t] = BigInt(id)
        mask[b * length + t] = 1n
      })
    })
    const dims = [chosen.length, length]
    const feeds = (tensor) => ({
      input_ids: tensor('int64', ids, dims),
      attention_mask: tensor('int64', mask, dims),
      token_type_ids: tensor('int64', new BigInt64Array(ids.length), dims),
    })
    batches.push({ chosen, length, feeds })
  }
  return { sentences, batches }
}

/** Writes the logits of real pieces, sentence by sentence, as f32. `data[k]` are those of batch k, [sequences, pieces, labels]. */
export function writeLogits(path, { sentences, batches }, data) {
  const found = new Array(sentences.length)
  batches.forEach(({ chosen, length }, k) => {
    const labels = data[k].length / (chosen.length * length)
    chosen.forEach((i, b) => {
      const start = b * length * labels
      found[i] = Buffer.from(data[k].slice(start, start + sentences[i].length * labels).buffer)
    })
  })
  writeFileAtomic(path, Buffer.concat(found))
}

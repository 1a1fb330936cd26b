/**
 * The peer of labelling on ONNX Runtime for Node: DIR/onnx/model.onnx over the sentences of DIR/sentences.json, all of
 * them a step. Its threads spin while it runs, as they do by default, and stop when it has run, so that others can have their turn.
 * Usage: node tagging_onnxruntime.mjs --model DIR --batch N --out FILE --threads N [--file model_quantized.onnx]
 */
import { join } from 'node:path'
import ort from 'onnxruntime-node'
import { peerOptions, serve } from './serve.mjs'
import { readBatches, writeLogits } from './tagging_batches.mjs'

const { model, batch, out, threads, file = 'model.onnx' } = peerOptions('model', 'batch', 'out', 'file')
const session = await ort.InferenceSession.create(join(model, 'onnx', file), {
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  graphOptimizationLevel: 'all',
  extra: { session: { force_spinning_stop: '1' } },
})
const read = readBatches(model, Number(batch))
const feeds = read.batches.map((one) => one.feeds((type, data, dims) => new ort.Tensor(type, data, dims)))

async function logits() {
  const found = []
  for (const feed of feeds) found.push((await session.run(feed, ['logits'])).logits.data)
  return found
}

writeLogits(out, read, await logits())
await serve(logits, { peer: 'ONNX Runtime', versions: ort.env.versions, threads, batch })

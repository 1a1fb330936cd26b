/**
 * The peer of labelling on transformers.js, whose backend in Node is ONNX Runtime: the model of the folder DIR over the
 * sentences of DIR/sentences.json, all of them a step. It has no class for ALBERT with a label for every token; that for
 * one label a sentence runs the same file and hands out its logits as they are.
 * Usage: node tagging_transformers.mjs --model DIR --batch N --out FILE --threads N
 */
import { AlbertForSequenceClassification, env, Tensor } from '@huggingface/transformers'
import { peerOptions, serve } from './serve.mjs'
import { readBatches, writeLogits } from './tagging_batches.mjs'

const { model: folder, batch, out, threads } = peerOptions('model', 'batch', 'out')
env.allowRemoteModels = false
env.localModelPath = ''
const model = await AlbertForSequenceClassification.from_pretrained(folder, {
  device: 'cpu',
  dtype: 'fp32',
  local_files_only: true,
  session_options: {
    intraOpNumThreads: Number(threads),
    interOpNumThreads: 1,
    extra: { session: { force_spinning_stop: '1' } },
  },
})
const read = readBatches(folder, Number(batch))
const feeds = read.batches.map((one) => one.feeds((type, data, dims) => new Tensor(type, data, dims)))

async function logits() {
  const found = []
  for (const feed of feeds) found.push((await model(feed)).logits.data)
  return found
}

writeLogits(out, read, await logits())
await serve(logits, { peer: 'transformers.js', version: env.version, threads, batch })

/**
 * Attention of ALBERT base in bf16, forward and backward in one turn, beside each backend of PyTorch's
 * scaled_dot_product_attention: sequences of 512 and 128, and sentences as long as NCBI-disease's, which PyTorch pads to the
 * longest of the batch, with a mask, or takes as a nested tensor.
 */
import { attention } from '../../src/ops/attention.js'
import { typicalLengths } from '../../src/profile/ncbi_disease.js'
import { attentionExpected } from '../support/attention.js'
import { isEmulated, isShort, openBenchDevice } from '../support/device.js'
import { OpsPeer, raceOnGpu } from '../support/gpu_op.js'
import { fixed, narrow } from '../support/op.js'

const [A, D] = isEmulated ? [2, 64] : [12, 64]
const H = A * D
const equal = (count: number, length: number) => new Array<number>(count).fill(length)
const cases = isEmulated
  ? [
      { name: 'attention_2x40', lengths: equal(2, 40), p: 0 },
      { name: 'attention_ner_6', lengths: typicalLengths(6).map((n) => Math.ceil(n / 2)), p: 0.1 },
    ]
  : [
      { name: 'attention_64x512', lengths: equal(64, 512), p: 0 },
      { name: 'attention_ner_32', lengths: typicalLengths(32), p: 0 },
      { name: 'attention_ner_256', lengths: typicalLengths(256), p: 0 },
      { name: 'attention_256x128', lengths: equal(256, 128), p: 0 },
      { name: 'attention_64x512_dropout', lengths: equal(64, 512), p: 0.1 },
    ].slice(0, isShort ? 2 : 5)

const device = await openBenchDevice()
const peer = await OpsPeer.open('attention')
try {
  for (const { name, lengths, p } of cases) {
    const starts: number[] = [0]
    for (const length of lengths) starts.push(starts[starts.length - 1] + length)
    const rows = starts[lengths.length]
    const squares = lengths.reduce((n, s) => n + s * s, 0)
    await raceOnGpu(device, peer, {
      op: attention,
      precision: 'bf16',
      inputs: { qkv: narrow(rows, 3 * H), cu_seqlens: fixed(Int32Array.from(starts), starts.length) },
      attrs: { heads: A, sequences: lengths.length, p, stream: 1 },
      expected: attentionExpected({ starts, A, D, p, stream: 1 }),
      races: [
        {
          name,
          kernels: ['attention_forward', 'attention_backward'],
          // two products forward and five backward of what is there
          cost: {
            flops: 14 * squares * H,
            products: 'bf16',
            bytes: 2 * rows * 14 * H,
            units: { tokens: rows },
          },
          peer: { sizes: { op: 'attention', lengths, heads: A, size: D, dropout: p } },
        },
      ],
    })
  }
} finally {
  await peer.close()
  await device.destroy()
}

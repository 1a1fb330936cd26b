/**
 * Dense layers of ALBERT base in bf16, each with its epilogue (bias, GELU with what backward wants of it, sums of bias
 * gradients added to f32), beside cuBLAS's product alone (torch.mm): forward, input gradient, weight gradient.
 */
import { linear } from '../../src/ops/linear.js'
import { linearGelu } from '../../src/ops/linear_gelu.js'
import { isEmulated, isShort, openBenchDevice } from '../support/device.js'
import { OpsPeer, raceOnGpu } from '../support/gpu_op.js'
import { linearExpected, linearGeluExpected } from '../support/linear.js'
import { narrow, packed, weight } from '../support/op.js'

const H = isEmulated ? 64 : 768
const I = isEmulated ? 128 : 3072
const ROWS = isEmulated ? [80] : isShort ? [32_768] : [32_768, 8_192, 65_536]
const layers = [
  { name: 'ffn_output', in: I, out: H },
  { name: 'qkv', in: H, out: 3 * H },
  { name: 'attention_output', in: H, out: H },
]

const device = await openBenchDevice()
const peer = await OpsPeer.open('products')
try {
  for (const rows of ROWS) {
    for (const layer of layers) {
      const [M, K, N] = [rows, layer.in, layer.out]
      const product = (m: number, n: number, k: number, kind: string) => ({
        sizes: { op: 'product', m, n, k, kind },
      })
      const name = `${layer.name}_${rows}`
      await raceOnGpu(device, peer, {
        op: linear,
        precision: 'bf16',
        inputs: { x: narrow(M, K), weight: packed(N, K), bias: weight(N) },
        attrs: {},
        expected: linearExpected(M, K, N),
        races: [
          { name: `${name} forward`, kernels: ['linear_forward'], peer: product(M, N, K, 'nt') },
          {
            name: `${name} input gradient`,
            kernels: ['linear_backward_input'],
            peer: product(M, K, N, 'nn'),
          },
          {
            name: `${name} weight gradient`,
            kernels: ['linear_backward_weight'],
            peer: product(N, K, M, 'tn'),
          },
        ],
      })
    }
    // its gradients are those of `linear` of these sizes
    await raceOnGpu(device, peer, {
      op: linearGelu,
      precision: 'bf16',
      inputs: { x: narrow(rows, H), weight: packed(I, H), bias: weight(I) },
      attrs: {},
      expected: (data) => {
        const { y, z, dx } = linearGeluExpected(rows, H, I)(data)
        return { y, z, dx }
      },
      races: [
        {
          name: `ffn_${rows} forward`,
          kernels: ['linear_gelu_forward'],
          peer: { sizes: { op: 'linear_gelu', m: rows, n: I, k: H } },
        },
      ],
    })
  }
} finally {
  await peer.close()
  await device.destroy()
}

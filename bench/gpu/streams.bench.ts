/**
 * What is bound by memory in a step of ALBERT base, beside a device copy of 100 MB of the same run: dropout with residual and
 * layer normalisation in bf16, layer normalisation and dropout in f32, the gradient of GELU, LAMB and AdamW over all parameters. And, bound by
 * multiply-adds in f32, the vocabulary projection with its loss.
 */
import { ParameterSet, zeros } from '../../src/graph/parameters.js'
import { adamw } from '../../src/ops/adamw.js'
import { copy } from '../../src/ops/copy.js'
import { dropout } from '../../src/ops/dropout.js'
import { dropoutAddLayernorm } from '../../src/ops/dropout_add_layernorm.js'
import { lamb } from '../../src/ops/lamb.js'
import { layernorm } from '../../src/ops/layernorm.js'
import { linearCrossEntropy } from '../../src/ops/linear_cross_entropy.js'
import { linearGelu } from '../../src/ops/linear_gelu.js'
import { isEmulated, openBenchDevice } from '../support/device.js'
import { OpsPeer, raceOnGpu } from '../support/gpu_op.js'
import { linearGeluExpected } from '../support/linear.js'
import { dropoutAddLayernormExpected, layernormExpected } from '../support/norm.js'
import { activation, dropoutFactor, narrow, packed, weight } from '../support/op.js'
import { baseParameters } from '../support/update.js'
import { updateCase } from '../support/update_inputs.js'
import { vocabularyCase } from '../support/vocabulary.js'

const [N, H, I] = isEmulated ? [70, 64, 128] : [65_536, 768, 3072]
const [M, E, V] = isEmulated ? [12, 32, 600] : [4928, 128, 30_000]
const EPS = 1e-12

const device = await openBenchDevice()
const peer = await OpsPeer.open('streams')
try {
  await raceOnGpu(device, peer, {
    op: copy,
    precision: 'bf16',
    inputs: { x: narrow(N, H) },
    attrs: { shape: [N, H], strides: [H, 1], offset: 0 },
    expected: ({ x, dy }) => ({ y: (i) => x[i], dx: (i) => dy[i] }),
    races: [{ name: 'copy', kernels: ['copy_forward'], peer: { sizes: { op: 'copy', bytes: 4 * N * H } } }],
  })
  const norm = (op: string) => ({ sizes: { op, rows: N, width: H } })
  await raceOnGpu(device, peer, {
    op: layernorm,
    precision: 'f32',
    inputs: { x: activation(N, H), weight: weight(H), bias: weight(H) },
    attrs: { eps: EPS },
    expected: layernormExpected(N, H, EPS),
    races: [
      {
        name: 'layernorm forward',
        kernels: ['layernorm_forward'],
        peer: { ...norm('layernorm'), modes: ['forward'] },
      },
      {
        name: 'layernorm forward + backward',
        kernels: ['layernorm_forward', 'layernorm_backward'],
        peer: { ...norm('layernorm'), modes: ['both'] },
      },
    ],
  })
  await raceOnGpu(device, peer, {
    op: dropoutAddLayernorm,
    precision: 'bf16',
    inputs: { x: narrow(N, H), residual: narrow(N, H), weight: weight(H), bias: weight(H) },
    attrs: { eps: EPS, p: 0.1, stream: 2 },
    expected: dropoutAddLayernormExpected(N, H, EPS, 0.1, 2),
    races: [
      { name: 'dropout + add + layernorm forward', kernels: ['dropout_add_layernorm_forward'] },
      { name: 'dropout + add + layernorm backward', kernels: ['dropout_add_layernorm_backward'] },
      {
        name: 'dropout + add + layernorm, both',
        kernels: ['dropout_add_layernorm_forward', 'dropout_add_layernorm_backward'],
        peer: { sizes: { ...norm('dropout_add_layernorm').sizes, p: 0.1 } },
      },
    ],
  })
  await raceOnGpu(device, peer, {
    op: dropout,
    precision: 'f32',
    inputs: { x: activation(N, H) },
    attrs: { p: 0.1, stream: 7 },
    expected: ({ x, dy }) => ({
      y: (i) => x[i] * dropoutFactor(0.1, 7, 0, i),
      dx: (i) => dy[i] * dropoutFactor(0.1, 7, 0, i),
    }),
    races: [
      {
        name: 'dropout forward',
        kernels: ['dropout_forward'],
        peer: { sizes: { ...norm('dropout').sizes, p: 0.1 } },
      },
    ],
  })
  // the rows of a quarter, since it is four times as wide
  const rows = Math.ceil(N / 4)
  await raceOnGpu(device, peer, {
    op: linearGelu,
    precision: 'bf16',
    inputs: { x: narrow(rows, H), weight: packed(I, H), bias: weight(I) },
    attrs: {},
    expected: (data) => {
      const { y, z, dx } = linearGeluExpected(rows, H, I)(data)
      return { y, z, dx }
    },
    races: [{ name: 'GELU gradient', kernels: ['linear_gelu_backward_activation'] }],
  })
  const set = isEmulated ? smallParameters() : baseParameters()
  const shapes = set.all.map(({ shape }) => shape)
  for (const [op, ratio, mode] of [
    [lamb, true, 'lamb'],
    [adamw, false, 'adamw'],
  ] as const)
    await raceOnGpu(device, peer, {
      op,
      precision: 'f32',
      ...updateCase(set, ratio),
      races: [
        {
          name: mode,
          kernels: [`${mode}_forward`],
          peer: { sizes: { op: 'update', shapes }, modes: [mode] },
        },
      ],
    })
  const vocabulary = vocabularyCase(M, E, V)
  await raceOnGpu(device, peer, {
    op: linearCrossEntropy,
    precision: 'f32',
    ...vocabulary,
    // a gradient of a weight wants the logits of every row, which takes half a minute here
    expected: (data) => {
      const { loss, lse, dx } = vocabulary.expected(data)
      return { loss, lse, dx }
    },
    races: [
      {
        name: 'vocabulary + loss forward + backward',
        kernels: ['linear_cross_entropy_forward', 'linear_cross_entropy_backward'],
        peer: { sizes: { op: 'vocabulary', rows: M, width: E, size: V } },
      },
    ],
  })
} finally {
  await peer.close()
  await device.destroy()
}

function smallParameters(): ParameterSet {
  const parameters = new ParameterSet()
  parameters.add('word', [100, 32], { init: zeros })
  parameters.add('bias', [100], { init: zeros })
  parameters.add('up', [64, 32], { init: zeros })
  return parameters
}

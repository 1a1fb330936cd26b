import { type UnaryFunction, unary } from '../../src/ops/unary.js'
import { random } from '../../test/support/random.js'
import { rows } from '../shapes.js'
import { activation, benchOp } from '../support/op.js'

const c = Math.sqrt(2 / Math.PI)
const bend = (x: number) => Math.tanh(c * (x + 0.044715 * x ** 3))
/** Functions and their derivatives, on positive numbers. */
const functions: [UnaryFunction, (x: number) => number, (x: number) => number][] = [
  ['exp', Math.exp, Math.exp],
  ['log', Math.log, (x) => 1 / x],
  ['tanh', Math.tanh, (x) => 1 - Math.tanh(x) ** 2],
  ['log1p', Math.log1p, (x) => 1 / (1 + x)],
  ['silu', (x) => x / (1 + Math.exp(-x)), (x) => (1 + Math.exp(-x) * (1 + x)) / (1 + Math.exp(-x)) ** 2],
  ['relu', (x) => x, () => 1],
  [
    'gelu',
    (x) => 0.5 * x * (1 + bend(x)),
    (x) => 0.5 * (1 + bend(x)) + 0.5 * x * (1 - bend(x) ** 2) * c * (1 + 3 * 0.044715 * x * x),
  ],
]
const { base_1024, base_intermediate_4096 } = rows
for (const [shape, { N, H }] of Object.entries({ base_1024, base_intermediate_4096 })) {
  const data = random(4).uniforms(N * H, 0.1, 3)
  for (const [fn, f, slope] of functions)
    await benchOp(`${fn}_${shape}`, unary, {
      inputs: { x: { ...activation(N, H), data } },
      attrs: { fn },
      expected: ({ x, dy }) => ({ y: (i) => f(x[i]), dx: (i) => dy[i] * slope(x[i]) }),
    })
}

/**
 * Layer normalization in races on WebGPU: by itself, and as ALBERT has it, of the sum of a residual and of what dropout has left.
 * Random masks differ from library to library, so with dropout each peer is judged by the mask that its sum shows.
 */
import { dropoutAddLayernorm } from '../../../src/ops/dropout_add_layernorm.js'
import { layernorm } from '../../../src/ops/layernorm.js'
import type { Results } from '../agree.js'
import { dropoutAddLayernormExpected, layernormExpected, normOracle } from '../norm.js'
import { uniform } from '../op_program.js'
import type { PeerRequest, WebgpuCase } from './contract.js'
import { arriving, given, named, operand, opOurs } from './ours.js'

const EPS = 1e-12
const STREAM = 2

export function layernormCases(name: string, N: number, H: number): WebgpuCase[] {
  const operands = () => ({
    x: operand(uniform(1, [N, H]), N, H),
    weight: operand(uniform(2, [H]), H),
    bias: operand(uniform(3, [H]), H),
  })
  const request = (backward: number) => (): PeerRequest => ({
    kind: 'layernorm',
    sizes: { eps: EPS, backward },
    operands: { ...operands(), dy: arriving(N, H) },
  })
  const ours = (kernels: string, ...names: string[]): WebgpuCase['ours'] => {
    return (device) => {
      const { x, weight, bias } = operands()
      const inputs = {
        x: given(x, 'activation'),
        weight: given(weight, 'weight'),
        bias: given(bias, 'weight'),
      }
      const options = { inputs, attrs: { eps: EPS }, expected: layernormExpected(N, H, EPS) }
      return opOurs(layernorm, options, kernels, named(...names))(device)
    }
  }
  return [
    { name: `${name} forward`, request: request(0), ours: ours('layernorm_forward', 'y') },
    {
      name: `${name} forward and backward`,
      request: request(1),
      ours: ours('layernorm_', 'y', 'dx', 'dweight', 'dbias'),
    },
  ]
}

/** Probability `p` of dropout; with 0 nothing is drawn. */
export function residualNormCases(name: string, N: number, H: number, p: number): WebgpuCase[] {
  const operands = () => ({
    x: operand(uniform(1, [N, H]), N, H),
    residual: operand(uniform(2, [N, H]), N, H),
    weight: operand(uniform(3, [H]), H),
    bias: operand(uniform(4, [H]), H),
  })
  const request = (backward: number) => (): PeerRequest => ({
    kind: 'dropout_add_layernorm',
    sizes: { eps: EPS, p, backward },
    operands: { ...operands(), dy: arriving(N, H) },
  })
  const ours = (kernels: string, ...names: string[]): WebgpuCase['ours'] => {
    return (device) => {
      const { x, residual, weight, bias } = operands()
      const inputs = {
        x: given(x, 'activation'),
        residual: given(residual, 'activation'),
        weight: given(weight, 'weight'),
        bias: given(bias, 'weight'),
      }
      const expected = dropoutAddLayernormExpected(N, H, EPS, p, STREAM)
      const options = { inputs, attrs: { eps: EPS, p, stream: STREAM }, expected }
      return opOurs(dropoutAddLayernorm, options, kernels, named(...names))(device)
    }
  }
  const judge = p > 0 ? { judge: (found: Results) => judgeByMask(found, request(1)(), p) } : {}
  const gradients = p > 0 ? ['dbias'] : ['dx', 'dresidual', 'dweight', 'dbias']
  const forward = p > 0 ? [] : ['y']
  return [
    {
      name: `${name} forward`,
      request: request(0),
      ours: ours('dropout_add_layernorm_forward', ...forward),
      ...judge,
    },
    {
      name: `${name} forward and backward`,
      request: request(1),
      ours: ours('dropout_add_layernorm_', ...forward, ...gradients),
      ...judge,
    },
  ]
}

/** Largest difference, of an element's own value and 1. */
const TOLERANCE = 1e-4
/** Standard deviations by which the share of what is dropped may be off. */
const DEVIATIONS = 5

/** The mask is what lies between `sum` and the residual; all else must follow from it. What needs no mask is given back. */
export function judgeByMask(found: Results, { operands }: PeerRequest, p: number): Results {
  const [x, residual, w, bias, dy] = ['x', 'residual', 'weight', 'bias', 'dy'].map((n) => operands[n].data)
  const [N, H] = operands.x.shape
  const total = found.sum
  const expect = (key: string, i: number, want: number) => {
    const value = found[key][i]
    if (!(Math.abs(value - want) <= TOLERANCE * (1 + Math.abs(want))))
      throw new Error(`wrong by its own mask: ${key}[${i}] is ${value} (want ${want})`)
  }
  const factors = Float64Array.from(x, (v, i) =>
    Math.abs(total[i] - residual[i]) < Math.abs(total[i] - residual[i] - v / (1 - p)) ? 0 : 1 / (1 - p),
  )
  const dropped = factors.reduce((n, factor) => n + (factor === 0 ? 1 : 0), 0) / factors.length
  const deviation = Math.sqrt((p * (1 - p)) / factors.length)
  if (!(Math.abs(dropped - p) <= DEVIATIONS * deviation))
    throw new Error(`wrong: its dropout drops a share of ${dropped} (want ${p})`)
  factors.forEach((factor, i) => {
    expect('sum', i, residual[i] + factor * x[i])
  })
  const row = normOracle(
    H,
    EPS,
    (n, h) => total[n * H + h],
    (n, h) => dy[n * H + h] * w[h],
  )
  const backward = 'dx' in found
  const dweight = new Float64Array(H)
  for (let n = 0; n < N; n++)
    for (let h = 0; h < H; h++) {
      const i = n * H + h
      const hat = row.normalized(n, h)
      expect('y', i, hat * w[h] + bias[h])
      if (!backward) continue
      expect('dresidual', i, row.dx(n, h))
      expect('dx', i, row.dx(n, h) * factors[i])
      dweight[h] += dy[i] * hat
    }
  if (!backward) return {}
  dweight.forEach((want, h) => {
    expect('dweight', h, want)
  })
  return { dbias: found.dbias }
}

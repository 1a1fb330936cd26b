/**
 * Oracles of products of 8-bit integers, in float64 loops that know nothing of packing: what the quantised computation
 * should give, and how far the exact product may be from it.
 */
export interface DenseCase {
  rows: number
  inner: number
  out: number
  x: Float32Array
  weight: Float32Array
  bias: Float32Array
}

interface QuantisedRows {
  q: Float64Array
  scale: Float64Array
  /** The largest magnitude of each row. */
  most: Float64Array
}

/** To the nearest whole number, ties to even. */
function nearest(x: number): number {
  const low = Math.floor(x)
  const rest = x - low
  return rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low
}

/** Each row of [rows, n] as whole numbers in [-127, 127] times a scale; factor and products are f32, as in a kernel. */
function quantise(x: Float32Array, rows: number, n: number): QuantisedRows {
  const q = new Float64Array(rows * n)
  const scale = new Float64Array(rows)
  const most = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < n; i++) most[r] = Math.max(most[r], Math.abs(x[r * n + i]))
    scale[r] = most[r] / 127
    const factor = most[r] > 0 ? Math.fround(127 / most[r]) : 0
    for (let i = 0; i < n; i++) q[r * n + i] = nearest(Math.fround(x[r * n + i] * factor))
  }
  return { q, scale, most }
}

/** z = x weight^T + bias of the quantised operands. */
export function quantisedDense({ rows, inner, out, x, weight, bias }: DenseCase): Float64Array {
  const a = quantise(x, rows, inner)
  const b = quantise(weight, out, inner)
  const z = new Float64Array(rows * out)
  for (let r = 0; r < rows; r++)
    for (let o = 0; o < out; o++) {
      let sum = 0
      for (let i = 0; i < inner; i++) sum += a.q[r * inner + i] * b.q[o * inner + i]
      z[r * out + o] = sum * a.scale[r] * b.scale[o] + bias[o]
    }
  return z
}

/**
 * z of the operands themselves, and the most by which quantising them can change each element: a rounded operand is off by
 * half a step, 1/254 of its row's largest magnitude, so |x w - x' w'| <= |x| ew + |w| ex + ex ew, summed over i.
 */
export function exactDense({ rows, inner, out, x, weight, bias }: DenseCase): {
  z: Float64Array
  bound: Float64Array
} {
  const a = quantise(x, rows, inner)
  const b = quantise(weight, out, inner)
  const z = new Float64Array(rows * out)
  const bound = new Float64Array(rows * out)
  for (let r = 0; r < rows; r++)
    for (let o = 0; o < out; o++) {
      const [ex, ew] = [a.most[r] / 254, b.most[o] / 254]
      let sum = bias[o]
      let off = 0
      for (let i = 0; i < inner; i++) {
        const [v, w] = [x[r * inner + i], weight[o * inner + i]]
        sum += v * w
        off += Math.abs(v) * ew + Math.abs(w) * ex + ex * ew
      }
      z[r * out + o] = sum
      bound[r * out + o] = off
    }
  return { z, bound }
}

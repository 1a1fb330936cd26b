/** What dense layers should give in float64: x [M,K], weight [N,K], bias [N]. */
import type { InputData } from '../../src/graph/runtime.js'
import { type Expected, sum } from './op_program.js'

export function linearExpected(M: number, K: number, N: number) {
  return ({ x, weight: w, bias, dy }: Readonly<Record<string, InputData>>): Record<string, Expected> => ({
    y: (i) => bias[i % N] + sum(K, (k) => x[Math.floor(i / N) * K + k] * w[(i % N) * K + k]),
    dx: (i) => sum(N, (n) => dy[Math.floor(i / K) * N + n] * w[n * K + (i % K)]),
    dweight: (i) => sum(M, (m) => dy[m * N + Math.floor(i / K)] * x[m * K + (i % K)]),
    dbias: (i) => sum(M, (m) => dy[m * N + i]),
  })
}

const c = Math.sqrt(2 / Math.PI)
const gelu = (z: number) => 0.5 * z * (1 + Math.tanh(c * (z + 0.044715 * z ** 3)))
function slope(z: number): number {
  const t = Math.tanh(c * (z + 0.044715 * z ** 3))
  return 0.5 * (1 + t) + 0.5 * z * (1 - t * t) * c * (1 + 3 * 0.044715 * z * z)
}

/** What linear_gelu should give, tanh form. */
export function linearGeluExpected(M: number, K: number, N: number) {
  return ({ x, weight: w, bias, dy }: Readonly<Record<string, InputData>>): Record<string, Expected> => {
    const z = (m: number, n: number) => bias[n] + sum(K, (k) => x[m * K + k] * w[n * K + k])
    const dz = (m: number, n: number) => dy[m * N + n] * slope(z(m, n))
    return {
      z: (i) => z(Math.floor(i / N), i % N),
      y: (i) => gelu(z(Math.floor(i / N), i % N)),
      dx: (i) => sum(N, (n) => dz(Math.floor(i / K), n) * w[n * K + (i % K)]),
      dweight: (i) => sum(M, (m) => dz(m, Math.floor(i / K)) * x[m * K + (i % K)]),
      dbias: (i) => sum(M, (m) => dz(m, i)),
    }
  }
}

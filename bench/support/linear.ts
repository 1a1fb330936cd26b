/** What linear should give: x [M,K], weight [N,K], bias [N]. */
import type { InputData } from '../../src/graph/runtime.js'
import { type Expected, sum } from './op.js'

export function linearExpected(M: number, K: number, N: number) {
  return ({ x, weight: w, bias, dy }: Readonly<Record<string, InputData>>): Record<string, Expected> => ({
    y: (i) => bias[i % N] + sum(K, (k) => x[Math.floor(i / N) * K + k] * w[(i % N) * K + k]),
    dx: (i) => sum(N, (n) => dy[Math.floor(i / K) * N + n] * w[n * K + (i % K)]),
    dweight: (i) => sum(M, (m) => dy[m * N + Math.floor(i / K)] * x[m * K + (i % K)]),
    dbias: (i) => sum(M, (m) => dy[m * N + i]),
  })
}

/** The projection onto a vocabulary with its loss, for benches: operands, and what should come out in float64. */
import { random } from '../../test/support/random.js'
import { activation, type OpBench, type Operand, once, sum, weight } from './op.js'

export function vocabularyCase(M: number, E: number, V: number): OpBench<Record<string, never>> {
  const labels = random(5).integers(M, 0, V)
  // small weights, so that no logit takes all
  const small: Operand = { ...weight(V, E), data: random(6).uniforms(V * E, -0.2, 0.2) }
  return {
    inputs: {
      x: activation(M, E),
      weight: small,
      bias: weight(V),
      labels: { role: 'fixed', shape: [M], data: labels },
    },
    attrs: {},
    sample: (result, draw) =>
      result === 'dweight' ? labels[draw.integer(M)] * E + draw.integer(E) : undefined,
    expected({ x, weight: w, bias, dloss }) {
      const logit = (m: number, v: number) => {
        let s = bias[v]
        for (let e = 0; e < E; e++) s += x[m * E + e] * w[v * E + e]
        return s
      }
      const lse = once((m) => Math.log(sum(V, (v) => Math.exp(logit(m, v)))))
      const dlogit = (m: number, v: number) =>
        dloss[m] * (Math.exp(logit(m, v) - lse(m)) - (labels[m] === v ? 1 : 0))
      return {
        loss: (m) => lse(m) - logit(m, labels[m]),
        lse,
        dx: (i) => sum(V, (v) => dlogit(Math.floor(i / E), v) * w[v * E + (i % E)]),
        dweight: (i) => sum(M, (m) => dlogit(m, Math.floor(i / E)) * x[m * E + (i % E)]),
        dbias: (v) => sum(M, (m) => dlogit(m, v)),
      }
    },
  }
}

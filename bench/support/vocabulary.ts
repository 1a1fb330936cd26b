/** Losses over a vocabulary, for benches: what should come out in float64, and operands of the projection with its loss. */
import type { InputData } from '../../src/graph/runtime.js'
import { random } from '../../test/support/random.js'
import { activation, type Expected, type OpBench, type Operand, once, sum, weight } from './op_program.js'

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

/** What cross_entropy of rows of C logits should give. */
export function crossEntropyExpected(C: number) {
  return ({ logits, labels, dloss }: Readonly<Record<string, InputData>>): Record<string, Expected> => {
    const lse = once((n) => Math.log(sum(C, (c) => Math.exp(logits[n * C + c]))))
    return {
      loss: (n) => lse(n) - logits[n * C + labels[n]],
      lse,
      dlogits(i) {
        const n = Math.floor(i / C)
        return dloss[n] * (Math.exp(logits[i] - lse(n)) - (i % C === labels[n] ? 1 : 0))
      },
    }
  }
}

/** NumPy's broadcasting as float64 loops over multi-indices: the oracle of elementwise ops. */

/** Applies `fn` to operands broadcast together; row-major. */
export function broadcast(
  operands: readonly { shape: readonly number[]; data: ArrayLike<number> }[],
  fn: (...values: number[]) => number,
): Float64Array {
  const rank = Math.max(...operands.map((o) => o.shape.length))
  const padded = operands.map((o) => [...Array<number>(rank - o.shape.length).fill(1), ...o.shape])
  const shape = Array.from({ length: rank }, (_, i) => Math.max(...padded.map((p) => p[i])))
  const result = new Float64Array(shape.reduce((a, b) => a * b, 1))
  for (let e = 0; e < result.length; e++) {
    const index: number[] = []
    let rest = e
    for (let i = rank - 1; i >= 0; i--) {
      index.unshift(rest % shape[i])
      rest = Math.floor(rest / shape[i])
    }
    const values = operands.map((o, k) => {
      let at = 0
      for (let i = 0; i < rank; i++) at = at * padded[k][i] + (padded[k][i] === 1 ? 0 : index[i])
      return o.data[at]
    })
    result[e] = fn(...values)
  }
  return result
}

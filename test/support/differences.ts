/**
 * Central differences in float64: df/dx_i ~ (f(x + eps e_i) - f(x - eps e_i)) / (2 eps).
 * The oracle of gradients for functions written as plain float64 loops in a test.
 */
export function centralDifferences(
  f: (x: Float64Array) => number,
  x: ArrayLike<number>,
  eps = 1e-5,
): Float64Array {
  const point = Float64Array.from(x)
  const gradient = new Float64Array(point.length)
  for (let i = 0; i < point.length; i++) {
    const kept = point[i]
    const step = eps * Math.max(1, Math.abs(kept))
    point[i] = kept + step
    const above = f(point)
    point[i] = kept - step
    const below = f(point)
    point[i] = kept
    gradient[i] = (above - below) / (2 * step)
  }
  return gradient
}

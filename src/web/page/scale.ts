/** What a chart needs of numbers: round ticks, fewer points than pixels, a smoother line. */

export type Point = readonly [x: number, y: number]

/** Round numbers (1, 2 or 5 times a power of ten apart) that span [low, high], about `wanted` of them. */
export function ticks(low: number, high: number, wanted: number): number[] {
  const span = high > low ? high - low : Math.abs(high) || 1
  const raw = span / Math.max(1, wanted)
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = ([1, 2, 5].find((k) => k * power >= raw * 0.999) ?? 10) * power
  const first = Math.floor(low / step + 1e-9)
  const last = Math.max(first + 1, Math.ceil((low + span) / step - 1e-9))
  // steps of whole numbers of a power of ten: no 0.30000000000000004
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)))
}

/** At most `most` points, each the mean of its neighbours; numbers that are none are left out. */
export function thin(points: readonly Point[], most: number): Point[] {
  const good = points.filter(([, y]) => Number.isFinite(y))
  const each = Math.ceil(good.length / most)
  if (each <= 1) return [...good]
  return Array.from({ length: Math.ceil(good.length / each) }, (_, i) => {
    const group = good.slice(i * each, (i + 1) * each)
    const mean = (k: 0 | 1) => group.reduce((sum, point) => sum + point[k], 0) / group.length
    return [mean(0), mean(1)] as const
  })
}

/** Each point the mean of `window` about it, fewer at the ends: it does not lag behind what falls, as running averages do. */
export function smooth(points: readonly Point[], window: number): Point[] {
  const half = Math.floor(window / 2)
  const sums = new Float64Array(points.length + 1)
  for (const [i, [, y]] of points.entries()) sums[i + 1] = sums[i] + y
  return points.map(([x], i) => {
    const reach = Math.min(half, i, points.length - 1 - i)
    return [x, (sums[i + reach + 1] - sums[i - reach]) / (2 * reach + 1)] as const
  })
}

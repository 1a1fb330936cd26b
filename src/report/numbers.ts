/** Numbers for people. Scores are fractions and shown in percent, as tables of this field do; missing ones as a dash. */

export const MISSING = '–'

/** 0.80213 -> `80.21`. */
export function percent(value: number | null | undefined, digits = 2): string {
  return value === null || value === undefined || !Number.isFinite(value)
    ? MISSING
    : minus((100 * value).toFixed(digits))
}

/** A difference of scores in points, always with its sign. */
export function points(value: number): string {
  const text = (100 * value).toFixed(2)
  return Number(text) > 0 ? `+${text}` : minus(text)
}

export function interval(
  [low, high]: readonly [number, number],
  show: (value: number) => string = percent,
): string {
  return `${show(low)} to ${show(high)}`
}

const COUNTS =
  /^(gold|predicted|correct|words|sentences|items|examples|pairs|documents|questions|answered|distinct|tokens)$/

/** A score of which name and value are known: a share or correlation in percent, a count as it is. */
export function scoreText(key: string, value: number | null | undefined): string {
  if (value === null || value === undefined) return MISSING
  const isCount = COUNTS.test(key.split('.').at(-1) ?? '') || Math.abs(value) > 1
  return isCount ? short(value) : percent(value)
}

/** Thousands are set apart. */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** Any other number, short: four digits that matter. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return MISSING
  if (Number.isInteger(value)) return minus(count(value))
  return minus(String(Number(value.toPrecision(4))))
}

/** `8.1 s`, `3 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number | undefined): string {
  if (seconds === undefined || !Number.isFinite(seconds)) return MISSING
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const pad = (value: number) => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
}

/** A minus as long as a plus, and no negative zero. */
function minus(text: string): string {
  return /^-[0.,]*$/.test(text) ? text.slice(1) : text.replace(/^-/, '−')
}

/** Numbers as people read them. */

/** 1234567 -> `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `1 entity`, `2 entities`. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`
}

/** A fraction -> `83.1%`. */
export function percent(fraction: number, digits = 0): string {
  return `${(100 * fraction).toFixed(digits)}%`
}

/** Of a model: `4.7 million parameters`. */
export function parameters(value: number): string {
  return value < 1e6 ? counted(value, 'parameter') : `${(value / 1e6).toFixed(1)} million parameters`
}

/** `8 s`, `3 min 20 s`, `1 h 05 min`. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}

/** `4.6 ms`, `120 ms`, `2.4 s`. */
export function brief(milliseconds: number): string {
  if (milliseconds < 10) return `${milliseconds.toFixed(1)} ms`
  return milliseconds < 1000 ? `${milliseconds.toFixed(0)} ms` : `${(milliseconds / 1000).toFixed(1)} s`
}

/** 1536 -> `1.5 KB`. */
export function bytes(value: number): string {
  if (value < 1000) return counted(value, 'byte')
  return value < 1e6 ? `${(value / 1000).toFixed(1)} KB` : `${(value / 1e6).toFixed(1)} MB`
}

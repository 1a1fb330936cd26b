/**
 * What commands print: the result on standard output (human text, or one JSON object as its last line with
 * --json), everything else on standard error. A result is printed once, at the end.
 */

/** Prints the result of a command: the object as one JSON line with --json, else the human text. */
export function printResult(
  json: boolean | undefined,
  result: Record<string, unknown>,
  text: string | (() => string),
): void {
  if (json) process.stdout.write(`${JSON.stringify(result)}\n`)
  else process.stdout.write(`${(typeof text === 'string' ? text : text()).trimEnd()}\n`)
}

/** A line on standard error for the person who waits, kept back with --quiet. */
export function note(message: string, quiet = false): void {
  if (!quiet) process.stderr.write(`${message}\n`)
}

/** A line on standard error that --quiet does not keep back. */
export function warn(message: string): void {
  process.stderr.write(`bioalbert: warning: ${message}\n`)
}

export type Cell = string | number | boolean | null | undefined

/**
 * Rows as aligned columns, two spaces apart, under an underlined header. A column in which every cell is a number
 * (or empty) is aligned to the right. Numbers are printed as they are: format them before.
 */
export function table(header: string[], rows: Cell[][]): string {
  const text = rows.map((row) => header.map((_, i) => show(row[i])))
  const width = header.map((title, i) => Math.max(title.length, ...text.map((row) => row[i].length)))
  const right = header.map(
    (_, i) => text.length > 0 && text.every((row) => /^([-+]?[\d.,]+ ?%?|)$/.test(row[i])),
  )
  const line = (cells: string[]) =>
    cells
      .map((cell, i) => (right[i] ? cell.padStart(width[i]) : cell.padEnd(width[i])))
      .join('  ')
      .trimEnd()
  return [line(header), line(width.map((n) => '-'.repeat(n))), ...text.map(line)].join('\n')
}

function show(cell: Cell): string {
  return cell === null || cell === undefined ? '' : String(cell)
}

/** 1536 -> `1.50 KiB`. */
export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  const power = count < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(count) / 10))
  return power === 0 ? `${count} B` : `${(count / 1024 ** power).toFixed(2)} ${units[power]}`
}

/** 1234567 -> `1,234,567`. */
export function count(value: number): string {
  return value.toLocaleString('en-US')
}

/** `, 3 skipped` behind what is told of a run whose loss is scaled, where steps of it were left out. */
export function skippedText(steps = 0): string {
  return steps > 0 ? `, ${count(steps)} skipped` : ''
}

/** Seconds for a person: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 05 min`. */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?'
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  const pad = (value: number) => String(value).padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${pad(whole % 60)} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${pad(minutes % 60)} min`
}

/** Lines of at most 78 characters, all of them indented. */
export function wrapped(text: string, indent: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > 78) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  return [...lines, line].map((one) => ' '.repeat(indent) + one)
}

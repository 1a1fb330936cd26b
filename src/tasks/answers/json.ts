/** JSON files of people, read with the place of every value, so that what is wrong is named: `FILE: found qas[3].id 7, ...`. */
import { quote } from '../../data/files/text.js'
import { readText } from '../../data/files/text_node.js'
import { InputError } from '../../error.js'

/** A value and where it stands. */
export class Json {
  constructor(
    readonly value: unknown,
    readonly file: string,
    readonly path = '',
    readonly line?: number,
  ) {}

  /** Whether it is an object with that key. */
  has(key: string): boolean {
    return isObject(this.value) && this.value[key] !== undefined && this.value[key] !== null
  }

  get(key: string): Json {
    if (!isObject(this.value)) throw this.wrong('an object')
    return new Json(this.value[key], this.file, this.path === '' ? key : `${this.path}.${key}`, this.line)
  }

  isList(): boolean {
    return Array.isArray(this.value)
  }

  items(): Json[] {
    if (!Array.isArray(this.value)) throw this.wrong('a list')
    return this.value.map((value, i) => new Json(value, this.file, `${this.path}[${i}]`, this.line))
  }

  text(): string {
    if (typeof this.value !== 'string') throw this.wrong('text')
    return this.value
  }

  /** As text, for ids, which some write as numbers. */
  id(): string {
    if (typeof this.value === 'number') return String(this.value)
    return this.text()
  }

  count(): number {
    if (!Number.isInteger(this.value) || (this.value as number) < 0) throw this.wrong('a whole number from 0')
    return this.value as number
  }

  /** An error about this value. */
  wrong(expected: string): InputError {
    const found = this.value === undefined ? `no ${this.path}` : `${this.path} ${shown(this.value)}`
    return new InputError({ file: this.file, line: this.line, found: found.trim(), expected })
  }
}

/** A file of one JSON value, or of one a line. Throws an InputError with the line where it is neither. */
export function readJson(file: string, expected: string): Json | Json[] {
  const text = readText(file, expected)
  const lines = text.split('\n')
  const first = lines.findIndex((line) => line.trim() !== '')
  const byLine = lines.some((line, i) => i > first && line.trim() !== '') && isWhole(lines[first])
  if (!byLine) return parseJson(text, file, expected)
  return lines.flatMap((line, i) => (line.trim() === '' ? [] : [parseJson(line, file, expected, i + 1)]))
}

function isWhole(line: string): boolean {
  try {
    return isObject(JSON.parse(line))
  } catch {
    return false
  }
}

function parseJson(text: string, file: string, expected: string, line?: number): Json {
  try {
    return new Json(JSON.parse(text), file, '', line)
  } catch {
    // what is missing at the end is missing after the last character
    const at = Math.min(faultIn(text), text.trimEnd().length)
    const rest = text.slice(at).split('\n')[0]
    const found = text.trim() === '' ? 'nothing' : at >= text.trimEnd().length ? 'the end' : quote(rest)
    throw new InputError({
      file,
      line: line ?? text.slice(0, at).split('\n').length,
      found: `${found} where JSON cannot have it`,
      expected,
    })
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: those are what JSON does not allow
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[\da-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y
const SCALAR = /(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)(?![\w.])/y
const SPACE = /[ \t\r\n]*/y

/** Where a text that is no JSON stops being it; not every engine says so. */
function faultIn(text: string): number {
  let at = 0
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const [found] = pattern.exec(text) ?? []
    if (found === undefined) return false
    at += found.length
    return true
  }
  const mark = (sign: string): boolean => {
    take(SPACE)
    if (text[at] !== sign) return false
    at++
    return true
  }
  const list = (close: string, item: () => boolean): boolean => {
    if (mark(close)) return true
    do if (!item()) return false
    while (mark(','))
    return mark(close)
  }
  const value = (): boolean => {
    if (mark('{')) return list('}', () => take(SPACE) && take(STRING) && mark(':') && value())
    if (mark('[')) return list(']', value)
    return take(STRING) || take(SCALAR)
  }
  if (value()) take(SPACE)
  return at
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (isObject(value)) return 'an object'
  return typeof value === 'string' ? quote(value) : String(value)
}

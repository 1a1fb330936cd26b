/**
 * Labelled examples as files hold them, a record each: JSON objects, one a line, or rows of a table whose columns a header
 * names or their number tells. Which of the two a file is, is seen from its first character and not from its name. Called by
 * the readers of tasks on sentences, pairs and documents.
 */
import { parseJsonLines } from '../../data/files/json_lines.js'
import { quote } from '../../data/files/text.js'
import { readText } from '../../data/files/text_node.js'
import { parseTsv, type TsvRow } from '../../data/files/tsv.js'
import { InputError } from '../../error.js'

/** What the records of a task are made of. */
export interface RecordForm<Field extends string> {
  /** The fields, and what columns and keys they are under, lower-case, the usual name first. */
  readonly names: Readonly<Record<Field, readonly string[]>>
  /** Fields that a file may lack. */
  readonly optional: readonly Field[]
  /** The fields of tables without header, by the number of their columns; absent where such tables are refused. */
  readonly bare?: Readonly<Record<number, readonly Field[]>>
  /** For errors: what a file should be. */
  readonly expected: string
}

export interface LabelledRecord<Field extends string> {
  /** Absent fields are undefined, empty ones are empty. */
  readonly fields: Readonly<Partial<Record<Field, string>>>
  /** From 1. */
  readonly line: number
}

/** The records of a file, at least one. Throws an InputError with file and line. */
export function readRecords<Field extends string>(
  path: string,
  form: RecordForm<Field>,
): LabelledRecord<Field>[] {
  const text = readText(path, form.expected)
  const records = text.trimStart().startsWith('{') ? fromJson(text, path, form) : fromTable(text, path, form)
  if (records.length === 0) throw new InputError({ file: path, found: 'no example', expected: form.expected })
  return records
}

/** A field that is there and not empty. Throws an InputError otherwise. */
export function filled<Field extends string>(
  { fields, line }: LabelledRecord<Field>,
  field: Field,
  file: string,
): string {
  const value = fields[field]
  if (value === undefined || value.trim() === '')
    throw new InputError({ file, line, found: `no ${field}`, expected: `a ${field}` })
  return value
}

function fromJson<Field extends string>(
  text: string,
  file: string,
  form: RecordForm<Field>,
): LabelledRecord<Field>[] {
  return parseJsonLines(text, file).map(({ value, line }) => {
    const keys = new Map(Object.keys(value).map((key) => [key.toLowerCase(), key]))
    const fields: Partial<Record<Field, string>> = {}
    for (const field of fieldsOf(form)) {
      const name = form.names[field].find((other) => keys.has(other))
      if (name === undefined) {
        if (form.optional.includes(field)) continue
        const expected = `the key ${form.names[field].join(' or ')} (${form.expected})`
        throw new InputError({
          file,
          line,
          found: `the keys ${quote(Object.keys(value).join(', '))}`,
          expected,
        })
      }
      const key = keys.get(name) as string
      fields[field] = textOf(value[key], { file, line, key })
    }
    return { fields, line }
  })
}

/** A value as text: lists of names as they stand in tables, with commas. */
function textOf(value: unknown, { file, line, key }: { file: string; line: number; key: string }): string {
  if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value.join(',')
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return String(value)
  throw new InputError({
    file,
    line,
    found: `${quote(JSON.stringify(value))} as ${key}`,
    expected: 'text or a number',
  })
}

function fromTable<Field extends string>(
  text: string,
  file: string,
  form: RecordForm<Field>,
): LabelledRecord<Field>[] {
  const rows = parseTsv(text)
  if (rows.length === 0) return []
  const [first] = rows
  const header = headerColumns(first, form)
  const columns = header ?? bareColumns(first, file, form)
  const width = first.cells.length
  return (header === undefined ? rows : rows.slice(1)).map(({ cells, line }) => {
    if (cells.length !== width) {
      const found = `${cells.length} ${cells.length === 1 ? 'column' : 'columns'} in ${quote(cells.join('\t'))}`
      throw new InputError({ file, line, found, expected: `${width} columns as in line ${first.line}` })
    }
    const fields: Partial<Record<Field, string>> = {}
    for (const [field, column] of columns) fields[field] = cells[column]
    return { fields, line }
  })
}

/** Where the fields stand by a header; undefined where the first row is none. */
function headerColumns<Field extends string>(
  { cells }: TsvRow,
  form: RecordForm<Field>,
): Map<Field, number> | undefined {
  const found = cells.map((cell) => cell.trim().toLowerCase())
  const columns = new Map<Field, number>()
  for (const field of fieldsOf(form)) {
    const name = form.names[field].find((other) => found.includes(other))
    if (name !== undefined) columns.set(field, found.indexOf(name))
    else if (!form.optional.includes(field)) return undefined
  }
  return columns
}

function bareColumns<Field extends string>(
  { cells, line }: TsvRow,
  file: string,
  form: RecordForm<Field>,
): Map<Field, number> {
  const fields = form.bare?.[cells.length]
  if (fields === undefined) {
    const found = `${cells.length} ${cells.length === 1 ? 'column' : 'columns'} in ${quote(cells.join('\t'))}`
    throw new InputError({ file, line, found, expected: form.expected })
  }
  return new Map(fields.map((field, column) => [field, column]))
}

function fieldsOf<Field extends string>({ names }: RecordForm<Field>): Field[] {
  return Object.keys(names) as Field[]
}

/**
 * Reads labelled sentences for named entity recognition: one word a line with its tag, a blank line after a
 * sentence. Two columns (`word<TAB>tag`, or separated by spaces) and CoNLL files (two columns or more: the word
 * is the first, the tag the last; `-DOCSTART-` lines are passed over). Tags are of one of the schemes of
 * tag_scheme.ts, plain (`B`) or with a type (`B-TYPE`), and are converted to IOB2 here. Needs nothing of Node;
 * reader_node.ts has files.
 */
import { quote } from '../../data/files/text.js'
import { InputError, UserError } from '../../error.js'
import type { NerSentence } from './sentence.js'
import { TAG_FORM, type TagScheme, tellScheme, toIob2 } from './tag_scheme.js'

export interface NerFile {
  path: string
  /** With tags in IOB2. */
  sentences: NerSentence[]
  /** The tags that occur, in the order of `labelNames`. */
  tagSet: string[]
  /** What the tags of the file are in; undefined where it has O alone. */
  scheme?: TagScheme
  /** The tags of every sentence as they stand in the file. */
  tagsAsRead: string[][]
}

const expectedRow = 'a word, a tab or spaces, and a tag'
const expectedTag =
  'B, I or O, or B-TYPE, I-TYPE or O (in IOBES also E and S, in BILOU L and U, in IOE E for B)'
const commentHint = 'there are no comments here: remove the lines that begin with #'

/** A file by its name, for errors, and its text. */
export interface NerText {
  readonly path: string
  readonly text: string
}

/**
 * Reads files that belong together: they are in one scheme, and where one alone could be of several, all decide.
 * Throws InputError for a row without a word or a tag, a comment, a row with another number of columns than the first one,
 * an unknown tag, plain tags mixed with typed ones, a file without words, and tags that no scheme fits.
 */
export function parseNerFiles(texts: readonly NerText[]): NerFile[] {
  const files = texts.map(({ path, text }) => ({ path, sentences: parse(path, text) }))
  const scheme = tellScheme(files)
  return files.map(({ path, sentences }) => {
    const tagsAsRead = sentences.map(({ tags }) => tags)
    const converted = sentences.map((sentence) => ({ ...sentence, tags: toIob2(sentence.tags) }))
    const tagSet = new Set(converted.flatMap(({ tags }) => tags))
    const ordered = order(typesOf([...tagSet])).filter((tag) => tagSet.has(tag))
    const own = tagSet.size === 1 && tagSet.has('O') ? undefined : scheme
    return { path, sentences: converted, tagSet: ordered, scheme: own, tagsAsRead }
  })
}

/** The sentences of a file, tags as they stand in it. */
function parse(path: string, text: string): NerSentence[] {
  const lines = text.split('\n')
  const sentences: NerSentence[] = []
  let sentence: NerSentence | undefined
  let columns: { count: number; line: number } | undefined
  let form: { tag: string; line: number } | undefined

  for (let i = 0; i < lines.length; i++) {
    const line = i + 1
    const row = lines[i].endsWith('\r') ? lines[i].slice(0, -1) : lines[i]
    if (/^[ \t]*$/.test(row)) {
      sentence = undefined
      continue
    }
    const fields = split(row)
    const word = fields[0]
    if (word === '-DOCSTART-') {
      sentence = undefined
      continue
    }
    const refuse = (found: string, expected: string): never => {
      // A word may be #, so that only what cannot be read otherwise is called a comment.
      const hint = row.startsWith('#') ? ` (${commentHint})` : ''
      throw new InputError({ file: path, line, found, expected: `${expected}${hint}` })
    }
    if (isComment(row)) refuse(`${quote(row)}, a comment`, expectedRow)
    if (fields.length < 2) refuse(`${quote(row)}, one column`, expectedRow)
    if (word === '') refuse(`${quote(row)}, no word`, expectedRow)
    columns ??= { count: fields.length, line }
    if (fields.length !== columns.count)
      refuse(`${quote(row)}, ${fields.length} columns`, `${columns.count} columns as in line ${columns.line}`)
    const tag = fields[fields.length - 1]
    if (!TAG_FORM.test(tag)) refuse(`tag ${quote(tag)}`, expectedTag)
    if (tag !== 'O') {
      form ??= { tag, line }
      if ((form.tag.length === 1) !== (tag.length === 1)) {
        const kind = form.tag.length === 1 ? 'plain tags' : 'tags with a type'
        refuse(`tag ${quote(tag)}`, `${kind} throughout, as ${quote(form.tag)} in line ${form.line}`)
      }
    }
    if (sentence === undefined) {
      sentence = { words: [], tags: [], line }
      sentences.push(sentence)
    }
    sentence.words.push(word)
    sentence.tags.push(tag)
  }
  if (sentences.length === 0) {
    throw new InputError({ file: path, found: 'no labelled word', expected: `lines with ${expectedRow}` })
  }
  return sentences
}

/**
 * The labels that a model for these files has, in a fixed order: O, B, I, or O and then B-TYPE, I-TYPE for
 * each type in the order of its code units. Both tags of a type are there even if the files have only one.
 * Throws UserError where one file has plain tags and another typed ones.
 */
export function labelNames(files: NerFile[]): string[] {
  const kinds = files.map((file) => {
    const tag = file.tagSet.find((other) => other !== 'O')
    return { path: file.path, kind: tag === undefined ? undefined : tag.length === 1 ? 'plain' : 'typed' }
  })
  const plain = kinds.find((file) => file.kind === 'plain')
  const typed = kinds.find((file) => file.kind === 'typed')
  if (plain !== undefined && typed !== undefined) {
    throw new UserError(
      `${plain.path} has tags without a type (B, I), ${typed.path} with one (B-TYPE, I-TYPE)`,
    )
  }
  return order(typesOf(files.flatMap((file) => file.tagSet)))
}

/** The type of a tag: `Disease` of `B-Disease`; empty for B, I and O. */
export function typeOf(tag: string): string {
  return tag.slice(2)
}

function typesOf(tags: string[]): string[] {
  const types = new Set(tags.filter((tag) => tag !== 'O').map(typeOf))
  return types.size === 0 ? [''] : [...types].sort()
}

function order(types: string[]): string[] {
  return ['O', ...types.flatMap((type) => (type === '' ? ['B', 'I'] : [`B-${type}`, `I-${type}`]))]
}

/** A line such as `# sent_id = 7` of CoNLL-U. */
function isComment(row: string): boolean {
  return /^# *[A-Za-z][\w.:-]* *=/.test(row)
}

/** Columns of a row: by tabs where it has one (a word may then hold spaces), by white space elsewhere. */
function split(row: string): string[] {
  if (row.includes('\t')) return row.split('\t').map(trim)
  return trim(row).split(/ +/)
}

/** Without spaces at either end; other white space (a no-break space, say) is part of a word. */
function trim(text: string): string {
  return text.replace(/^ +| +$/g, '')
}

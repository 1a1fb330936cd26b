/**
 * Gold mentions of ShARe/CLEF eHealth 2013 task 1 and SemEval 2014 task 7: lines of fields with `||` between, in a file for each note
 * or one for many, or Knowtator's XML, in which the training part of 2013 was released.
 *
 *   00098-000001-REPORT.txt||Disease_Disorder||C0011849||12||20||31||39    two pairs of offsets: a discontinuous mention
 *
 * Offsets count UTF-16 units of the note, ends exclusive (the notes are ASCII).
 */
import { quote } from '../../data/files/text.js'
import { InputError } from '../../error.js'

export interface GoldMention {
  /** [start, end) of every stretch, in order. */
  readonly stretches: readonly (readonly [number, number])[]
  readonly type: string
  /** The text at the offsets is not what the gold says stands there. */
  readonly misplaced?: boolean
}

const LINE = /^[^|]+\|\|[^|]*\|\|[^|]*(\|\|\d+\|\|\d+)+$/
const EXPECTED = 'document||type||CUI||start||end, further pairs of offsets after it'

/** Whether a file of text is one of gold mentions, by its first line that is not blank. */
export function holdsPipes(text: string): boolean {
  return LINE.test(/\S.*/.exec(text)?.[0].trim() ?? '')
}

/** The mentions of a file by the note that its lines name. */
export function parsePipes(text: string, file: string): Map<string, GoldMention[]> {
  const found = new Map<string, GoldMention[]>()
  text.split('\n').forEach((row, i) => {
    const line = row.trim()
    if (line === '') return
    if (!LINE.test(line)) throw new InputError({ file, line: i + 1, found: quote(line), expected: EXPECTED })
    const [document, type, , ...offsets] = line.split('||')
    const name = noteName(document)
    found.set(name, [...(found.get(name) ?? []), { stretches: pairs(offsets), type }])
  })
  return found
}

/** The mentions of a Knowtator file: `annotation`s, whose class a `classMention` of the same id names. */
export function parseKnowtator(text: string, file: string): GoldMention[] {
  if (!/<annotations\b/.test(text))
    throw new InputError({ file, found: 'no <annotations>', expected: "Knowtator's XML" })
  const types = new Map<string, string>()
  for (const [, id, body] of text.matchAll(/<classMention\s+id="([^"]*)"\s*>(.*?)<\/classMention>/gs))
    types.set(id, /<mentionClass\s+id="([^"]*)"/.exec(body)?.[1] ?? '')
  const mentions: GoldMention[] = []
  for (const match of text.matchAll(/<annotation>(.*?)<\/annotation>/gs)) {
    const offsets = [...match[1].matchAll(/<span\s+start="(\d+)"\s+end="(\d+)"/g)]
    const id = /<mention\s+id="([^"]*)"/.exec(match[1])?.[1]
    if (id === undefined || offsets.length === 0)
      throw new InputError({
        file,
        line: text.slice(0, match.index).split('\n').length,
        found: 'an annotation without a mention or a span',
        expected: '<mention id> and <span start end>',
      })
    const stretches = pairs(offsets.flatMap(([, start, end]) => [start, end]))
    mentions.push({ stretches, type: types.get(id) ?? '' })
  }
  return mentions
}

/** `00098-000001-REPORT` of `dir/00098-000001-REPORT.txt.knowtator.xml`: what a note and its gold files share. */
export function noteName(file: string): string {
  const base = file.slice(Math.max(file.lastIndexOf('/'), file.lastIndexOf('\\')) + 1)
  return base.replace(/(\.(txt|text|pipe|knowtator|xml))+$/i, '')
}

function pairs(offsets: readonly string[]): [number, number][] {
  return Array.from({ length: offsets.length / 2 }, (_, i): [number, number] => [
    Number(offsets[2 * i]),
    Number(offsets[2 * i + 1]),
  ]).sort((a, b) => a[0] - b[0] || a[1] - b[1])
}

/**
 * How the two mentions of a pair stand in a sentence. Releases replace them by placeholders, or keep them between marks:
 *
 *   @GENE$ ... @DISEASE$ (GAD, EU-ADR)     BC6ENTC ... BC6ENTG, other mentions BC6OTHER (ChemProt, five classes)
 *   << losartan >> ... [[ Ang II ]] (ChemProt, JSON lines)     [E1] losartan [/E1], <e1>losartan</e1>
 *
 * The form `text` leaves that as it stands. `placeholders` writes it as BLURB and BLUE do, @CHEMICAL$ and @GENE$; where marks do not
 * say what the mentions are, @ENTITY1$ and @ENTITY2$, and @ENTITY1-ENTITY2$ where one reaches into the other. `markers` keeps the
 * mentions, between `<< >>` and `[[ ]]`; a mention that a release replaced cannot come back.
 */

export const FORMS = ['text', 'placeholders', 'markers'] as const

/** Placeholders by the names that releases give them. Mentions beside the pair stand as text in BLURB, which is not in this data. */
const RENAMED: Readonly<Record<string, string>> = {
  BC6ENTC: '@CHEMICAL$',
  BC6ENTG: '@GENE$',
  BC6ENT1: '@ENTITY1$',
  BC6ENT2: '@ENTITY2$',
  BC6OTHER: '@OTHER$',
}
const PLACEHOLDER = /@[A-Z][A-Z0-9-]*\$|\bBC6(ENT[CG12]|OTHER)\b/i

/** Marks of the first and of the second mention. */
const MARKS: readonly (readonly [RegExp, RegExp])[] = [
  [/<<\s*(.*?)\s*>>/, /\[\[\s*(.*?)\s*\]\]/],
  [/\[E1\]\s*(.*?)\s*\[\/E1\]/i, /\[E2\]\s*(.*?)\s*\[\/E2\]/i],
  [/<e1>\s*(.*?)\s*<\/e1>/i, /<e2>\s*(.*?)\s*<\/e2>/i],
]

/** A mention with its marks: text[start..end). */
interface Mention {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** The sentence in one of the forms; in `markers` a sentence without marks stays as it is. */
export function inForm(text: string, form: string): string {
  if (form === 'placeholders') return withPlaceholders(text)
  return form === 'markers' ? withMarkers(text) : text
}

export function hasMarks(text: string): boolean {
  return mentions(text) !== undefined
}

/** Whether the pair is marked or replaced in any way that is known here. */
export function showsPair(text: string): boolean {
  return PLACEHOLDER.test(text) || hasMarks(text)
}

function withPlaceholders(text: string): string {
  const found = mentions(text)
  const replaced = text.replace(/\bBC6(ENT[CG12]|OTHER)\b/gi, (name) => RENAMED[name.toUpperCase()])
  if (found === undefined) return replaced
  return overlap(found)
    ? replace(text, [[span(found), '@ENTITY1-ENTITY2$']])
    : replace(text, [
        [found[0], '@ENTITY1$'],
        [found[1], '@ENTITY2$'],
      ])
}

function withMarkers(text: string): string {
  const found = mentions(text)
  if (found === undefined || overlap(found)) return text
  return replace(text, [
    [found[0], `<< ${found[0].text} >>`],
    [found[1], `[[ ${found[1].text} ]]`],
  ])
}

function mentions(text: string): readonly [Mention, Mention] | undefined {
  for (const [one, two] of MARKS) {
    const first = one.exec(text)
    const second = two.exec(text)
    if (first !== null && second !== null) return [mention(first), mention(second)]
  }
  return undefined
}

function mention({ index, 0: whole, 1: text }: RegExpExecArray): Mention {
  return { start: index, end: index + whole.length, text }
}

function overlap([a, b]: readonly [Mention, Mention]): boolean {
  return a.start < b.end && b.start < a.end
}

function span([a, b]: readonly [Mention, Mention]): Pick<Mention, 'start' | 'end'> {
  return { start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) }
}

function replace(
  text: string,
  places: readonly (readonly [Pick<Mention, 'start' | 'end'>, string])[],
): string {
  return [...places]
    .sort(([a], [b]) => b.start - a.start)
    .reduce((rest, [{ start, end }, value]) => rest.slice(0, start) + value + rest.slice(end), text)
}

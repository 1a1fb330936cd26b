/**
 * Splits biomedical prose into sentences. A full stop, question or exclamation mark before white space ends a
 * sentence unless what stands around it says otherwise: abbreviations (e.g., et al., Fig., vs., spp.), initials
 * and species names (E. coli, S. aureus), numbers (p < .05), an open bracket, a lower-case word that goes on.
 * A rule-based splitter; where a full stop is both an abbreviation's and a sentence's, the next word decides.
 */

export interface Span {
  /** Offsets into the text, end exclusive, without the white space around. */
  start: number
  end: number
}

/** Never the end of a sentence: something must follow. Compared in lower case, without the last full stop. */
const OPEN_ABBREVIATIONS = new Set(
  (
    'e.g i.e eg ie cf vs v viz fig figs eq eqs eqn ref refs dr drs prof mr mrs ms st sr no nos vol vols pp p ' +
    'approx ca circa c.f suppl tab sec sect chap ed eds resp incl excl esp dept univ nr tel gen lt col sgt ' +
    'rev hon messrs mme mlle var subsp ssp f.sp cv pv bv str nov sp.nov comb aff n.b nb a.k.a'
  ).split(' '),
)

/** May stand at the end of a sentence; the next word decides. */
const CLOSING_ABBREVIATIONS = new Set(
  (
    'al etc spp sp inc ltd co corp u.s u.k u.s.a i.v i.p i.m s.c p.o i.d i.c.v i.t i.n b.i.d t.i.d q.i.d b.d ' +
    'a.m p.m ph.d m.d d.v.m b.sc m.sc jr a.d b.c e.u d.c w.h.o s.d s.e s.e.m s.d.s max min avg temp wt conc ' +
    'hr hrs min mins sec secs yr yrs mo wk wks jan feb mar apr jun jul aug sep sept oct nov dec'
  ).split(' '),
)

/** Words that open a sentence far more often than they follow an abbreviation or initial inside one. */
const OPENERS = new Set(
  (
    'The This These Those That There They Their It Its We Our In On At By For From To With Without Within As A An ' +
    'After Although Among And Another Additionally Also Both Because Before Between But Combined Compared ' +
    'Consequently Conversely Despite During Each Either Even Finally First Further Furthermore Given Hence Here ' +
    'High However If Importantly Indeed Interestingly Low Many More Moreover Most Neither Nevertheless No None ' +
    'Notably Of One Only Other Others Over Overall Patients Previous Recent Recently Results Second Secondly ' +
    'Several Similar Similarly Since So Some Such Surprisingly Then Therefore Thus Treatment Two Three Under ' +
    'Unlike Until Upon Using When Where Whereas Whether Which While Who Data Analysis Methods Conclusions ' +
    'Conclusion Background Objective Objectives He She His Her Four Five Six All Currently Expression Mutations ' +
    'Studies Study Subjects Mice Rats Cells Not'
  ).split(' '),
)

const CANDIDATE = /[.?!]+(?:['"’”)\]]|\[\d[\d,\s–-]*\])*(?=\s)/gu
const LONGEST_ASIDE = 400

/** The sentences of a paragraph as offsets, one after another: a paragraph may have millions. */
export function* eachSentence(text: string): Generator<Span> {
  let start = skipSpace(text, 0)
  let depthAt = start
  let depth = 0
  for (const match of text.matchAll(CANDIDATE)) {
    const end = match.index + match[0].length
    if (match.index < start) continue
    // Brackets opened and closed since the sentence began.
    for (; depthAt < end; depthAt++) {
      const c = text.charCodeAt(depthAt)
      if (c === 40 || c === 91) depth++
      else if (c === 41 || c === 93) depth = Math.max(0, depth - 1)
    }
    if (depth > 0 && closesSoon(text, end)) continue
    if (!endsSentence(text, start, match.index, end)) continue
    yield { start, end }
    start = skipSpace(text, end)
    depthAt = start
    depth = 0
  }
  const end = text.trimEnd().length
  if (start < end) yield { start, end }
}

/** The sentences of a paragraph as offsets. */
export function sentenceSpans(text: string): Span[] {
  return [...eachSentence(text)]
}

/** The sentences of a paragraph. */
export function splitSentences(text: string): string[] {
  return sentenceSpans(text).map(({ start, end }) => text.slice(start, end))
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && /\s/.test(text[at])) at++
  return at
}

function closesSoon(text: string, from: number): boolean {
  const limit = Math.min(text.length, from + LONGEST_ASIDE)
  let depth = 0
  for (let at = from; at < limit; at++) {
    const c = text[at]
    if (c === '(' || c === '[') depth++
    else if ((c === ')' || c === ']') && depth-- === 0) return true
  }
  return false
}

/** Whether the mark at `mark` (closed at `end`, white space after it) ends the sentence begun at `start`. */
function endsSentence(text: string, start: number, mark: number, end: number): boolean {
  const nextAt = skipSpace(text, end)
  if (nextAt >= text.length) return true
  const next = /^\S+/.exec(text.slice(nextAt, nextAt + 80))?.[0] ?? ''
  const bare = next.replace(/^['"‘“([{]+/u, '')
  const opener = !/^\p{L}\./u.test(bare) && OPENERS.has(bare.replace(/[^\p{L}].*$/u, ''))
  if (text[mark] !== '.') return !/^\p{Ll}/u.test(bare) || looksLikeName(bare)

  const word = wordBefore(text, start, mark)
  // The number of a list: "1. Aims".
  if (/^\d{1,2}$/.test(word) && mark - word.length === start) return false
  if (word === '') return !/^\d/.test(bare) && startsSentence(bare)
  const lower = word.toLowerCase()
  const closed = end - mark > 1
  if (!closed) {
    if (OPEN_ABBREVIATIONS.has(lower) && !isQuantity(text, mark, word)) return false
    if (CLOSING_ABBREVIATIONS.has(lower)) return opener || endsQuantity(text, mark, word, bare)
    // An initial or a genus: J. Smith, E. coli, U. S. Also letters with full stops between: a.b.c.
    if (/^\p{L}$/u.test(word)) return initialEnds(text, mark, word, bare, opener)
    if (/^(\p{L}\.)+\p{L}$/u.test(word)) return opener
  }
  return startsSentence(bare)
}

/** The stretch without white space before `mark`, opening brackets and quotes dropped. */
function wordBefore(text: string, start: number, mark: number): string {
  let from = mark
  while (from > start && !/[\s([{"'“‘/–—]/u.test(text[from - 1])) from--
  return text.slice(from, mark)
}

/** `no`, `p` and the like are words of their own after a digit or in "said no". */
function isQuantity(text: string, mark: number, word: string): boolean {
  const before = text.slice(Math.max(0, mark - word.length - 12), mark - word.length).trimEnd()
  return /^(no|sec|st)$/i.test(word) && /\d$/.test(before)
}

/** "for 5 min. Cells": a unit after a number, before a capital, ends the sentence. */
function endsQuantity(text: string, mark: number, word: string, next: string): boolean {
  const before = text.slice(Math.max(0, mark - word.length - 12), mark - word.length)
  return (
    /^(min|mins|sec|secs|hr|hrs|yr|yrs|mo|wk|wks)$/i.test(word) &&
    /\d[\s-]*$/.test(before) &&
    /^\p{Lu}/u.test(next)
  )
}

function initialEnds(text: string, mark: number, word: string, next: string, opener: boolean): boolean {
  if (/^\p{Ll}/u.test(next)) return false
  // "It weighed 5 g. Bacillus": a unit.
  if (/^\p{Ll}$/u.test(word))
    return opener || (/\d\s*$/.test(text.slice(Math.max(0, mark - 8), mark - 1)) && /^\p{Lu}/u.test(next))
  const before = /(\S+)\s+\S$/u.exec(text.slice(Math.max(0, mark - 40), mark))?.[1] ?? ''
  // "hepatitis C. Patients", "group A. Serum": a name in lower case that ends in a letter.
  const named =
    /^(vitamins?|hepatitis|group|type|types|class|factor|protein|phase|stage|grade|arm|cohort|receptor|toxin|influenza|panel|site|domain|and|or|immunoglobulin|cyclosporin|amphotericin|coenzyme|kinase|subunit|cytochrome|apolipoprotein|interferon|lipid)$/i.test(
      before,
    )
  if (named) return /^[\p{Lu}\d]/u.test(next)
  return opener
}

/** Lower-case names that open sentences: p53, mRNA, c-Myc, miR-21, pH, alpha-Synuclein. */
function looksLikeName(word: string): boolean {
  return /^(\p{Ll}{1,3}|alpha|beta|gamma|delta|kappa|omega)(-?[\p{Lu}\d])/u.test(word)
}

function startsSentence(word: string): boolean {
  return (
    /^[\p{Lu}\p{Lt}\p{Lo}\d]/u.test(word) ||
    looksLikeName(word) ||
    word === '' ||
    /^[^\p{L}\p{N},;:.)\]]/u.test(word)
  )
}

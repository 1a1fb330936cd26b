/**
 * Synthetic biomedical abstracts, and sentences with labelled diseases, for the demonstration and the tests.
 *
 * An abstract goes from background to conclusion, returns to its topic (a part of the body, a disease, a compound
 * and so on) and mentions others, so that both masked words and sentence order can be learned. Half of what looks
 * like a disease is none: proteins, compounds and organisms have names of the same form, and only contexts tell.
 * The labelled sentences mostly are of the kind that does not tell, and the names of their test split mostly do
 * not occur in their train split, while the corpus speaks of all of them: a model that has read the corpus knows
 * what to label, another one has to guess.
 *
 * Draw i of a text is a function of (seed, what, i): a longer text begins with the shorter one.
 */
import { Philox } from '../random.js'
import { companions, type Kind, names, organs, type Section, sections } from './synthetic_text.js'
import { splitWords } from './words.js'

export type NerSplit = 'train' | 'devel' | 'test'

/** A sentence and where its names stand, offsets in UTF-16 units. */
export interface SyntheticSentence {
  text: string
  /** Mentions of diseases. */
  diseases: { start: number; end: number }[]
  /** Mentions of anything else that has a name. */
  others: { start: number; end: number }[]
}

const streams = { corpus: 0, train: 1, devel: 2, test: 3, example: 4 }

/** Share of sentences from patterns that do not tell what a name means. */
const neutralShare = { corpus: 0.2, labelled: 0.75 }

/** Share of mentions that are of the abstract's own topic. */
const topicShare = 0.25

/** Share of names of the devel and test splits that the train split has as well. */
const knownShare = 0.15

/** `documents` abstracts, each a paragraph on one line, a blank line between them (UTF-8, ends in a line feed). */
export function generateCorpus(seed: number, documents: number): string {
  const abstracts: string[] = []
  for (let i = 0; i < documents; i++) abstracts.push(abstract(new Philox(seed, streams.corpus, i)).join(' '))
  return `${abstracts.join('\n\n')}\n`
}

/** Labelled sentences as `word<TAB>tag` lines (B, I, O; the entities are diseases), a blank line after each. */
export function generateNer(seed: number, sentences: number, split: NerSplit): string {
  const rows: string[] = []
  for (let i = 0; i < sentences; i++) {
    const { text, diseases } = labelledSentence(new Philox(seed, streams[split], i), split)
    for (const { text: word, start } of splitWords(text)) {
      const mention = diseases.find((span) => span.start <= start && start < span.end)
      rows.push(`${word}\t${mention === undefined ? 'O' : mention.start === start ? 'B' : 'I'}`)
    }
    rows.push('')
  }
  return `${rows.join('\n')}\n`
}

/** Unlabelled sentences of the kind of the test split, each with a disease and something that looks like one, for `predict`. */
export function generateExamples(seed: number, count: number): SyntheticSentence[] {
  const examples: SyntheticSentence[] = []
  for (let i = 0; examples.length < count; i++) {
    const sentence = labelledSentence(new Philox(seed, streams.example, i), 'test')
    if (sentence.diseases.length > 0 && sentence.others.length > 0) examples.push(sentence)
  }
  return examples
}

/** The names of a kind that a split draws from, besides the train split's own: a half, a fifth, the rest. */
export function splitNames(kind: Kind, split: NerSplit): string[] {
  const all = names[kind]
  const [first, second] = [Math.floor(all.length * 0.5), Math.floor(all.length * 0.7)]
  if (split === 'train') return all.slice(0, first)
  return split === 'devel' ? all.slice(first, second) : all.slice(second)
}

/** Slots that a name of one kind fills. */
const slotKinds: Record<string, Kind | undefined> = {
  D: 'disease',
  P: 'protein',
  C: 'compound',
  O: 'organism',
}

interface Entity {
  kind: Kind
  name: string
}

/** What one text speaks of: a part of the body, and a name of each kind that comes up again and again. */
interface Topic {
  organ: string
  names: Record<Kind, string>
  /** Another name, for a mention that is not of the topic. */
  draw: (kind: Kind) => string
}

function abstract(rng: Philox): string[] {
  const topic = makeTopic(rng, (kind) => pick(rng, names[kind]))
  const sentences: string[] = []
  const used = new Set<string>()
  for (const section of sections) {
    const count = section.least + rng.integer(section.most - section.least + 1)
    for (let i = 0; i < count; i++) {
      let pattern = drawPattern(rng, section, neutralShare.corpus)
      while (used.has(pattern)) pattern = drawPattern(rng, section, neutralShare.corpus)
      used.add(pattern)
      sentences.push(fill(rng, pattern, topic).text)
    }
  }
  return sentences
}

function labelledSentence(rng: Philox, split: NerSplit): SyntheticSentence {
  const topic = makeTopic(rng, (kind) => {
    const known = split === 'train' || rng.uniform() < knownShare
    return pick(rng, splitNames(kind, known ? 'train' : split))
  })
  return fill(rng, drawPattern(rng, pick(rng, sections), neutralShare.labelled), topic)
}

function drawPattern(rng: Philox, section: Section, neutral: number): string {
  return pick(rng, rng.uniform() < neutral ? section.neutral : section.telling)
}

function makeTopic(rng: Philox, draw: (kind: Kind) => string): Topic {
  const names = {
    disease: draw('disease'),
    protein: draw('protein'),
    compound: draw('compound'),
    organism: draw('organism'),
  }
  return { organ: pick(rng, organs), names, draw }
}

/** Replaces choices and slots from left to right, and notes where diseases come to stand. */
function fill(rng: Philox, pattern: string, topic: Topic): SyntheticSentence {
  const used = new Set<string>()
  const entityOf = (slot: string): Entity | undefined => {
    const kind =
      slot === 'X'
        ? pick<Kind>(rng, ['disease', 'disease', 'disease', 'protein', 'compound', 'organism'])
        : slotKinds[slot]
    if (kind === undefined) return undefined
    let name = rng.uniform() < topicShare ? topic.names[kind] : topic.draw(kind)
    while (used.has(name)) name = topic.draw(kind)
    used.add(name)
    return { kind, name }
  }
  let text = ''
  const diseases: SyntheticSentence['diseases'] = []
  const others: SyntheticSentence['others'] = []
  for (const part of pattern.split(/(\[[^\]]*\]|\{.\})/)) {
    const slot = /^\{(.)\}$/.exec(part)?.[1]
    const entity = slot === undefined ? undefined : entityOf(slot)
    const start = text.length
    if (part.startsWith('[')) text += pick(rng, part.slice(1, -1).split('|'))
    else if (entity !== undefined) text += mention(rng, entity, topic)
    else text += slot === undefined ? part : filler(rng, slot, topic)
    if (entity !== undefined)
      (entity.kind === 'disease' ? diseases : others).push({ start, end: text.length })
  }
  return { text: text[0].toUpperCase() + text.slice(1), diseases, others }
}

function mention(rng: Philox, { kind, name }: Entity, topic: Topic): string {
  const { before, after } = companions[kind]
  const front = rng.uniform() < 0.06 ? `${pick(rng, before)} ` : ''
  const back = rng.uniform() < 0.04 ? ` ${pick(rng, after)}` : ''
  return front + name + back.replace(/\{(.)\}/, (_, slot: string) => filler(rng, slot, topic))
}

function filler(rng: Philox, slot: string, { organ }: Topic): string {
  if (slot === 'L') return rng.uniform() < 0.8 ? organ : pick(rng, organs)
  if (slot === 'N') return `${2 + rng.integer(28)}`
  if (slot === 'R') return `p ${pick(rng, ['<', '='])} 0.0${1 + rng.integer(5)}`
  throw new Error(`synthetic: no slot {${slot}}`)
}

function pick<T>(rng: Philox, items: readonly T[]): T {
  return items[rng.integer(items.length)]
}

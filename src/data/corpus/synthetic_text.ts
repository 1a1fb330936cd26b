/**
 * What the synthetic abstracts are made of: invented names and sentence patterns, all written for this project.
 * A name is a stem of two syllables and a suffix. Stems and suffixes are dealt to diseases, proteins, compounds
 * and organisms alike, so that the form of a name says nothing of what it names.
 *
 * Patterns: `[a|b]` is one of the two; {D} a disease, {P} a protein, {C} a compound, {O} an organism, {X} any of
 * them; {L} a part of the body, {N} a number, {R} a p-value.
 */
import { Philox } from '../random.js'

export type Kind = 'disease' | 'protein' | 'compound' | 'organism'

const suffixes = ['itis', 'oma', 'emia', 'osis', 'in', 'ase', 'ol', 'ium']

/** The names of each kind, half of them diseases; no two begin with the same four letters. */
export const names: Record<Kind, string[]> = makeNames({
  disease: 100,
  protein: 34,
  compound: 33,
  organism: 33,
})

/** Words that may stand before or after a name; for a disease they belong to the mention. */
export const companions: Record<Kind, { before: string[]; after: string[] }> = {
  disease: {
    before: ['acute', 'chronic', 'recurrent', 'primary', 'latent', 'familial'],
    after: ['syndrome', 'of the {L}', 'type {N}'],
  },
  protein: { before: ['active', 'primary', 'latent'], after: ['receptor', 'of the {L}', 'type {N}'] },
  compound: { before: ['active', 'chronic', 'acute'], after: ['sulfate', 'type {N}'] },
  organism: { before: ['latent', 'primary', 'recurrent'], after: ['strain', 'of the {L}', 'type {N}'] },
}

export const organs = [
  'liver',
  'kidney',
  'lung',
  'heart',
  'skin',
  'brain',
  'colon',
  'thyroid',
  'spleen',
  'retina',
]

/** One part of an abstract: patterns that tell what a name means, and patterns that do not. */
export interface Section {
  name: 'background' | 'aim' | 'methods' | 'results' | 'conclusion'
  /** Sentences of this part in one abstract. */
  least: number
  most: number
  telling: string[]
  neutral: string[]
}

/** In the order of an abstract; four to ten sentences in all. */
export const sections: Section[] = [
  {
    name: 'background',
    least: 1,
    most: 2,
    telling: [
      '{D} is a [common|rare|serious] [disease|disorder|condition] of the {L}.',
      'Patients with {D} often [suffer from|complain of] [pain|fever|fatigue|weakness].',
      '{D} affects about {N} in 1000 [people|adults|children] [worldwide|each year].',
      'Most deaths from {D} occur in [elderly|untreated|young] patients.',
      '{D} is an inherited [disease|disorder] with [early|late] onset.',
      '{P} is [a protein|a receptor|an enzyme] expressed in cells of the {L}.',
      'The gene encoding {P} lies on chromosome {N}.',
      '{C} is [a drug|a compound|an inhibitor] given [orally|by injection].',
      'The dose of {C} is limited by its [toxicity|side effects].',
      '{O} is a [bacterium|parasite|fungus] that lives in [soil|water|food].',
    ],
    neutral: [
      'The [role|importance] of {X} in {X} [remains|is still] [unclear|poorly understood].',
      '[Little|Much] is known about {X}.',
      '{X} has been [studied|described|discussed] for [decades|many years].',
      'Interest in {X} has [grown|increased] in recent years.',
      'The relation between {X} and {X} is a matter of debate.',
    ],
  },
  {
    name: 'aim',
    least: 0,
    most: 1,
    telling: [
      'We asked whether {C} [prevents|relieves|cures] {D}.',
      'The aim of this study was to find the cause of {D} in [adults|children].',
      'We tested whether {C} binds to {P}.',
      'We aimed to learn how {O} infects the {L}.',
    ],
    neutral: [
      'The aim of this study was to [examine|assess|describe] {X}.',
      'We [aimed|set out] to study {X} and its [relation|link] to {X}.',
      'Here we [report|present] new data on {X}.',
    ],
  },
  {
    name: 'methods',
    least: 1,
    most: 3,
    telling: [
      'We enrolled {N} patients with {D}.',
      '{N} [men|women|children] diagnosed with {D} were followed for {N} [weeks|months|years].',
      'Biopsies were taken from patients suffering from {D}.',
      'Patients received {N} mg of {C} [daily|twice a day].',
      'Rats were given {C} by injection for {N} days.',
      'Expression of {P} was [measured|quantified] by blotting.',
      'Antibodies against {P} were raised in rabbits.',
      'Mice were infected with {O} and killed after {N} days.',
      'Cultures of {O} were grown for {N} hours.',
    ],
    neutral: [
      'Data on {X} were [collected|gathered] in {N} [centers|hospitals|laboratories].',
      'Samples were [tested|screened] for {X} and {X}.',
      'We recorded {X} at baseline and after {N} [weeks|months].',
      'We [searched|reviewed] the literature for reports on {X}.',
      'Two [experts|readers] looked for {X} in all [images|records].',
    ],
  },
  {
    name: 'results',
    least: 1,
    most: 3,
    telling: [
      '{N} patients [died of|recovered from|developed] {D}.',
      'Symptoms of {D} [improved|resolved] after treatment with {C}.',
      'The risk of {D} was higher in [smokers|men|women] ({R}).',
      'Relapse of {D} occurred within {N} months.',
      '{C} inhibited the activity of {P} at low doses.',
      'Plasma levels of {C} [rose|fell] after {N} hours ({R}).',
      'Mutations of {P} reduced its binding to DNA.',
      'Phosphorylation of {P} was [lost|increased] in mutant cells.',
      '{O} was isolated from the {L} in {N} cultures.',
      'Growth of {O} was slower in the presence of {C}.',
    ],
    neutral: [
      '{X} was [associated|correlated] with {X} ({R}).',
      '{X} was more frequent than {X} in the second group.',
      'No [change|difference] in {X} was [seen|observed] ({R}).',
      '{X} was [found|noted|present] in {N} of {N} cases.',
      'The effect was [stronger|weaker] for {X} than for {X}.',
      'Neither {X} nor {X} [explained|predicted] the result.',
    ],
  },
  {
    name: 'conclusion',
    least: 1,
    most: 1,
    telling: [
      'In conclusion, {C} is a [promising|safe|useful] treatment for {D}.',
      'We conclude that early diagnosis of {D} improves survival.',
      'In conclusion, screening of relatives for {D} is advised.',
      'We conclude that {P} is a transcription factor of the {L}.',
      'In conclusion, {C} should be given at lower doses.',
      'We conclude that {O} is resistant to {C}.',
    ],
    neutral: [
      'In conclusion, {X} [is linked to|may depend on] {X}.',
      'These findings [suggest|indicate] that {X} deserves further study.',
      'Taken together, our data [support|question] a role of {X}.',
      'Future work should consider {X} and {X}.',
      'We conclude that {X} matters more than was thought.',
    ],
  },
]

/** Names from syllables and suffixes, in a fixed random order: the same for every seed of a text. */
function makeNames(counts: Record<Kind, number>): Record<Kind, string[]> {
  const rng = new Philox(20, 5)
  const onsets = [
    'b',
    'br',
    'c',
    'd',
    'dr',
    'f',
    'fl',
    'g',
    'gl',
    'k',
    'l',
    'm',
    'n',
    'p',
    'pl',
    'r',
    's',
    't',
    'tr',
    'v',
    'z',
  ]
  const vowels = ['a', 'e', 'i', 'o', 'u']
  const middles = ['b', 'd', 'g', 'l', 'm', 'n', 'r', 'v', 'lv', 'nd', 'rm', 'st', 'rv', 'mp', 'x', 'z']
  const ends = ['b', 'd', 'k', 'l', 'm', 'n', 'r', 't', 'v', 'lt', 'nt', 'rd']
  const pick = (items: string[]) => items[rng.integer(items.length)]
  const total = Object.values(counts).reduce((a, b) => a + b)
  const made: string[] = []
  while (made.length < total) {
    const stem = pick(onsets) + pick(vowels) + pick(middles) + pick(vowels) + pick(ends)
    const suffix = suffixes[rng.integer(suffixes.length)]
    if (made.every((other) => other.slice(0, 4) !== stem.slice(0, 4))) made.push(stem + suffix)
  }
  const dealt = {} as Record<Kind, string[]>
  let next = 0
  for (const [kind, count] of Object.entries(counts) as [Kind, number][]) {
    dealt[kind] = made.slice(next, next + count)
    next += count
  }
  return dealt
}

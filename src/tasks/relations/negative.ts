/**
 * Labels that mean that there is no relation: `false` of ChemProt and i2b2, `DDI-false`, `0` of GAD and EU-ADR, and what else data
 * sets call it. Micro F1 counts the other ones. Where every label would be such a name, none is taken for one.
 */
const NEGATIVE =
  /^(.*[-_:/ ])?(false|none|other|negative|neg|no[-_ ]?relations?|not[-_ ]?related|unrelated|no|na|n\/a|0)$/i

/** The negative ones of the labels, in their order. */
export function negativeLabels(labels: readonly string[]): string[] {
  const found = labels.filter((label) => NEGATIVE.test(label.trim()))
  return found.length === labels.length ? [] : found
}

/** Labels in the order of a model's outputs: the negative ones, then the others, each by name. */
export function orderedLabels(labels: Iterable<string>): string[] {
  const all = [...new Set(labels)].sort()
  const negative = negativeLabels(all)
  return [...negative, ...all.filter((label) => !negative.includes(label))]
}

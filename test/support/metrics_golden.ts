/** Cases of test/golden/metrics.json, which test/golden/metrics.py made. */
import { readFileSync } from 'node:fs'
import { fail } from './failure.js'
import { root } from './paths.js'

const sections = JSON.parse(readFileSync(`${root}/test/golden/metrics.json`, 'utf8')) as Record<
  string,
  unknown[]
>

/** The cases of one section, in their order. */
export function metricsGolden<Case>(section: string): Case[] {
  const cases = sections[section]
  if (cases === undefined || cases.length === 0) fail(`metrics.json has no cases of ${section}`)
  return cases as Case[]
}

/** Scores of each class or entity type, models (means over their runs) or runs beside each other. */
import { z } from 'zod'
import { type Html, html, name } from '../html.js'
import type { Run } from '../model.js'
import { count, MISSING, percent } from '../numbers.js'
import { table } from '../table.js'
import type { Section } from './section.js'

const scores = z.record(
  z.string(),
  z.object({ precision: z.number(), recall: z.number(), f1: z.number(), gold: z.number().optional() }),
)
type ClassScores = z.infer<typeof scores>

interface Column {
  readonly title: string
  readonly of: ClassScores[]
}

export function classesSection(runs: readonly Run[]): Section | undefined {
  const groups = new Map<string, Map<string, Column>>()
  for (const run of runs) {
    const found = classesOf(run)
    if (found === undefined) continue
    const title = run.place?.set ?? run.task ?? ''
    const key = JSON.stringify([title, run.place !== undefined, Object.keys(found).sort()])
    const columns = groups.get(key) ?? new Map<string, Column>()
    groups.set(key, columns)
    const label = run.place?.model ?? run.name
    const column = columns.get(label) ?? { title: label, of: [] }
    columns.set(label, column)
    column.of.push(found)
  }
  if (groups.size === 0) return undefined
  const blocks = [...groups].map(([key, columns]) =>
    block((JSON.parse(key) as [string])[0], [...columns.values()]),
  )
  return { id: 'classes', title: 'Classes and types', body: html`${blocks}` }
}

/** Of two classes or more. */
function classesOf({ test }: Run): ClassScores | undefined {
  const found = [test?.classes, test?.types]
    .map((value) => scores.safeParse(value))
    .find(({ success, data }) => success && Object.keys(data).length > 1)
  return found?.data
}

function block(title: string, columns: readonly Column[]): Html {
  const names = Object.keys(columns[0].of[0])
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const cell = (label: string, { of }: Column) => {
    const part = (key: 'precision' | 'recall' | 'f1') => percent(mean(of.map((one) => one[label][key])))
    return html`${part('f1')}<span class="sub">P ${part('precision')}, R ${part('recall')}</span>`
  }
  const gold = (label: string) => columns[0].of[0][label].gold
  return html`<h3>${name(title)}</h3>
${table({
  caption: 'F1 of each class or type in percent; below it precision and recall',
  columns: [
    { title: 'class' },
    { title: 'gold', numeric: true },
    ...columns.map((column) => ({ title: name(column.title), numeric: true })),
  ],
  groups: [
    {
      rows: names.map((label) => [
        label === '' ? 'entity' : name(label),
        gold(label) === undefined ? MISSING : count(gold(label)!),
        ...columns.map((column) => cell(label, column)),
      ]),
    },
  ],
})}`
}

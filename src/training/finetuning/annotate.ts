/** Entities in a text of any length, every line a paragraph, as `predict` labels it. Needs nothing of Node. */
import { UsageError } from '../../error.js'
import type { Example } from '../../model/head.js'
import type { FoundEntity } from '../../tasks/task.js'
import { evaluateLines, type TaskFolder } from './model.js'
import type { Predictor } from './predictor.js'

export interface AnnotatedText {
  /** In the order of the text; offsets count its UTF-16 units. */
  readonly entities: readonly FoundEntity[]
  /** Pieces that the model was given, special ones and the overlaps of windows included. */
  readonly pieces: number
}

/**
 * `entity` is the type of entities whose labels have none; `heard` hears how much of the work is done, of a whole of `total`, and may
 * end it by an error. Throws a UsageError for a task that finds no entities.
 */
export async function annotateText(
  predictor: Predictor,
  { task, context }: Pick<TaskFolder, 'task' | 'context'>,
  text: string,
  entity = 'ENTITY',
  heard?: (done: number, total: number) => void,
): Promise<AnnotatedText> {
  const { documents } = task
  if (documents?.takes !== 'passages')
    throw new UsageError(`models for ${task.name} find no entities in a text`)
  const lines = text.split('\n')
  const items = lines.map((line, i) => task.parse(line, { file: 'text', line: i + 1 }, context))
  let pieces = 0
  let [done, total] = [0, 0]
  const cut = (examples: readonly Example[]) => {
    total = examples.length
    for (const { ids } of examples) pieces += ids.length
  }
  const answers = await evaluateLines(predictor, task, items, context, cut, (more) => {
    done += more
    heard?.(done, total)
  })
  const options = { entity, labels: context.labels }
  let begin = 0
  const entities = lines.flatMap((line, i) => {
    const { entities: found = [] } = documents.annotate(line, items[i], answers[i], options)
    const moved = found.map((one) => ({ ...one, start: begin + one.start, end: begin + one.end }))
    begin += line.length + 1
    return moved
  })
  return { entities, pieces }
}

/**
 * From lines to model inputs and from logits to JSON, as the task says: what `predict --json` does for a line, in two halves
 * with the device between them. Small requests are worked on where they come in, long ones in a thread (text_lanes.ts).
 */
import type { Tokenizer } from '../data/tokenizer/tokenizer.js'
import type { Example } from '../model/head.js'
import type { Task, TaskContext } from '../tasks/task.js'
import { answersOf } from '../training/finetuning/model.js'

/** What a batch takes of an example. */
export type Piece = Pick<Example, 'ids' | 'second' | 'scored' | 'item'>

export interface PreparedText {
  readonly examples: readonly Example[]
  readonly pieces: number
  /** One JSON object a line, from the logits of all examples. */
  finish(logits: readonly Float32Array[]): string[]
}

export interface TextWorkSettings {
  readonly task: Task
  readonly context: TaskContext & { readonly tokenizer: Tokenizer }
  /** The type of entities whose labels have none. */
  readonly entity: string
}

export class TextWork {
  private readonly print: ReturnType<Task['printer']>

  constructor(private readonly settings: TextWorkSettings) {
    this.print = settings.task.printer({ format: 'jsonl', colour: false, entity: settings.entity })
  }

  /** Throws an InputError where the task does not take a line. */
  prepare(lines: readonly string[]): PreparedText {
    const { task, context } = this.settings
    const parsed = lines.map((line, i) => task.parse(line, { file: 'input', line: i + 1 }, context))
    const items = parsed.flat()
    const examples = task.examples(items, context, false)
    return {
      examples,
      pieces: examples.reduce((n, { ids }) => n + ids.length, 0),
      finish: (logits) => {
        const answers = answersOf(task, items, examples, logits, context)
        let next = 0
        return parsed.map((own, i) => {
          next += own.length
          return this.print(lines[i], own, answers.slice(next - own.length, next)).trimEnd()
        })
      },
    }
  }
}

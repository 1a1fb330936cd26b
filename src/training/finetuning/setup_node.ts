/** Reads the parts of a fine-tuning run from folders: data, a model or a vocabulary, the checkpoint of another run. */
import { loadTokenizer } from '../../data/tokenizer/tokenizer_node.js'
import { UsageError, UserError } from '../../error.js'
import type { ParameterSet } from '../../graph/parameters.js'
import { openModel, readVocabularyContents } from '../../model/folder.js'
import type { Task } from '../../tasks/task.js'
import { type CheckpointPlace, findCheckpoint, readArenas, readState } from '../checkpoint.js'
import { atStart } from '../loss_scale.js'
import { modelTokenizer } from './model_node.js'
import type { RunState } from './run_state.js'
import { assembleRun, type Continued, type FinetuneOptions, type FinetuneRun, kindOf } from './setup.js'

/** Reads and checks all that a run needs. Throws a UserError that names what cannot be. */
export function setUpFinetuning(task: Task, options: FinetuneOptions): FinetuneRun {
  const { tokenizer: tokenizerDir, continueFrom, resumeFrom, seed } = options
  const named = [options.model, tokenizerDir, continueFrom].filter((dir) => dir !== undefined).length
  if (named > 1 || (named === 0 && resumeFrom === undefined))
    throw new UsageError(
      'want either --model MODEL or, for random weights, --tokenizer DIR, or --continue-from CHECKPOINT',
    )
  const place = continueFrom === undefined ? undefined : findCheckpoint(continueFrom)
  const modelDir = options.model ?? place?.dir ?? (named === 0 ? resumeFrom : undefined)
  return assembleRun(task, options, {
    open() {
      const pretrained = modelDir === undefined ? undefined : openModel(modelDir)
      const tokenizer = pretrained ? modelTokenizer(pretrained) : loadTokenizer(tokenizerDir as string)
      return {
        pretrained,
        tokenizer,
        vocabulary: readVocabularyContents((modelDir ?? tokenizerDir) as string),
      }
    },
    read: (form) => task.read(options.data, { form, fold: options.fold, seed }),
    ...(place && {
      continued: (labels, wanted, parameters) => continuedRun(place, task, labels, wanted, parameters),
    }),
  })
}

/** Throws a UserError for a checkpoint of another kind of run or of other labels. */
function continuedRun(
  place: CheckpointPlace,
  task: Task,
  labels: readonly string[] = [],
  wanted: readonly string[],
  parameters: ParameterSet,
): Continued {
  const {
    step,
    draw,
    updates = 0,
    age = updates,
    lossScale,
  } = readState(place.dir, kindOf(task)) as unknown as RunState
  if (labels.join() !== wanted.join())
    throw new UserError(
      `${place.dir}: has the labels ${labels.join(', ')}, the data ${wanted.join(', ')}; ` +
        '--continue-from wants the same ones (--model takes the encoder alone)',
    )
  return {
    place,
    arenas: readArenas(place.dir, parameters),
    updates: updates + step,
    age: age + step - (lossScale?.skipped ?? 0),
    lossScale: lossScale && atStart(lossScale),
    draw,
  }
}

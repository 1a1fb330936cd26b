/** Fine-tunes the entities task on files that a person chose, as `finetune entities` does, from the loaded model. */
import { decodeText } from '../data/files/text.js'
import { UserError } from '../error.js'
import { entityLabels } from '../tasks/entities/core.js'
import { entityTexts } from '../tasks/entities/data_set.js'
import type { Scores } from '../tasks/task.js'
import { finetuneInMemory } from '../training/finetuning/in_memory.js'
import { encodeTask, type ModelFiles } from '../training/finetuning/model_files.js'
import { assembleRun, DEFAULT_CLIP, DEFAULT_WEIGHT_DECAY } from '../training/finetuning/setup.js'
import type { DeviceHolder } from './device.js'
import type { LoadedModel } from './model.js'
import type { Tell } from './port.js'
import type * as protocol from './protocol.js'
import type { RunControl } from './run_control.js'

type Finetune = protocol.Requests['finetune']

/** The run to its end, or until it is stopped; the files of the best model. */
export async function finetuneModel(
  { opened }: LoadedModel,
  devices: DeviceHolder,
  { train, dev, settings, from }: Finetune['ask'],
  control: RunControl,
  tell: Tell,
): Promise<Omit<Finetune['result'], 'model'> & { readonly files: ModelFiles }> {
  checkSettings(settings)
  const texts = [await textOf(train, tell), dev && (await textOf(dev, tell))] as const
  const { model, tokenizer, vocabulary } = opened
  const options = {
    data: train.name,
    epochs: settings.epochs,
    learningRate: settings.learningRate,
    batch: settings.batch,
    seed: settings.seed,
    weightDecay: DEFAULT_WEIGHT_DECAY,
    clip: DEFAULT_CLIP,
    recompute: false,
  }
  const run = assembleRun(entityLabels, options, {
    open: () => ({
      ...(from === 'model' ? { pretrained: model } : { sizes: model.config }),
      tokenizer,
      vocabulary,
    }),
    read: () => entityTexts(...texts),
  })
  const device = await devices.get(tell)
  const { total } = run.schedule
  const {
    steps,
    interrupted,
    dev: scores,
    kept,
  } = await finetuneInMemory(run, device, {
    onStart() {
      control.start()
    },
    onStep: ({ step, loss }) => tell({ kind: 'step', step, total, loss, milliseconds: control.milliseconds }),
    onEvaluation: ({ step, dev, best }) => tell({ kind: 'dev', step, scores: shortScores(dev), best }),
    between: (step) => control.wait((kind) => tell({ kind, step })),
    interrupted: () => control.wantsStop,
  })
  return { steps, dev: shortScores(scores), interrupted, files: await encodeTask(kept) }
}

async function textOf(file: File, tell: Tell): Promise<{ path: string; text: string }> {
  tell({ kind: 'reading', what: file.name })
  return { path: file.name, text: decodeText(new Uint8Array(await file.arrayBuffer()), file.name) }
}

function checkSettings({ epochs, learningRate, batch, seed }: protocol.Settings): void {
  const want = (ok: boolean, name: string, value: number, expected: string) => {
    if (!ok) throw new UserError(`${name}: found ${value}, expected ${expected}`)
  }
  want(Number.isInteger(epochs) && epochs > 0, 'epochs', epochs, 'a positive whole number')
  want(learningRate > 0 && learningRate < 1, 'learning rate', learningRate, 'a number between 0 and 1')
  want(Number.isInteger(batch) && batch > 0, 'batch', batch, 'a positive whole number')
  const isSeed = Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32
  want(isSeed, 'seed', seed, 'a whole number from 0 to 4294967295')
}

function shortScores({ precision, recall, f1 }: Scores): protocol.Scores {
  return { precision: Number(precision), recall: Number(recall), f1: Number(f1) }
}

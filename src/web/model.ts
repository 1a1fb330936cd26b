/** The model that the worker has: read from files, checked, and on the device if it finds entities. */
import { UserError } from '../error.js'
import { ParameterSet } from '../graph/parameters.js'
import { entityLabels } from '../tasks/entities/core.js'
import { loadTask, type TaskFolder } from '../training/finetuning/model.js'
import { type ModelFiles, type OpenedModel, openFiles, taskOf } from '../training/finetuning/model_files.js'
import type { Predictor } from '../training/finetuning/predictor.js'
import type { DeviceHolder } from './device.js'
import type { Tell } from './port.js'
import type { ModelFacts } from './protocol.js'

/** The tasks that there are in a browser. */
const TASKS = [entityLabels]
/** What is read of a folder; whatever else is in it stays where it is. */
const WANTED = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json', 'task.json']
/** Words on which the kernels are compiled before a person waits for an answer. */
const WARM_UP = 'a b'

/** The files of a model folder among those that a person chose. */
export async function readFiles(files: readonly File[], tell: Tell): Promise<ModelFiles> {
  const found = new Map<string, Uint8Array>()
  for (const file of files) {
    if (!WANTED.includes(file.name)) continue
    if (found.has(file.name))
      throw new UserError(`${file.name} is there twice: choose the files of one model`)
    tell({ kind: 'reading', what: file.name })
    found.set(file.name, new Uint8Array(await file.arrayBuffer()))
  }
  return found
}

export class LoadedModel {
  private constructor(
    readonly opened: OpenedModel,
    readonly facts: ModelFacts,
    private readonly tagger?: { readonly folder: TaskFolder; readonly predictor: Predictor },
  ) {}

  /**
   * Reads a model and makes it ready. One without labels and task.json was pretrained alone: it can be fine-tuned. `name` is
   * what errors call it.
   */
  static async read(
    name: string,
    files: ModelFiles,
    devices: DeviceHolder,
    tell: Tell,
  ): Promise<LoadedModel> {
    const opened = await openFiles(name, files)
    const { config, labels } = opened.model
    const { layers, hiddenSize, maxPositions } = config
    if (opened.record === undefined && (labels ?? []).length === 0) {
      const set = new ParameterSet()
      entityLabels
        .head(entityLabels.usualLabels, entityLabels.forms[0])
        .declare(set, config, entityLabels.usualLabels.length)
      const facts = { name, task: 'pretrained', labels: [], parameters: set.count, layers, hiddenSize }
      return new LoadedModel(opened, { ...facts, maxLength: maxPositions })
    }
    const folder = taskOf(opened, TASKS)
    const device = await devices.get(tell)
    const predictor = await loadTask(folder, device)
    const { task, context } = folder
    await predictor.logits(task.examples(task.parse(WARM_UP, { file: name, line: 1 }), context, false))
    const facts = {
      name,
      task: task.name,
      labels: context.labels,
      parameters: predictor.parameters.count,
      layers,
      hiddenSize,
      maxLength: context.maxLength,
    }
    return new LoadedModel(opened, facts, { folder, predictor })
  }

  /** What labels texts. Throws a UserError for a model that was not fine-tuned. */
  get ready(): { readonly folder: TaskFolder; readonly predictor: Predictor } {
    if (this.tagger === undefined)
      throw new UserError(
        'this model has been pretrained alone: it finds no entities before it is fine-tuned',
      )
    return this.tagger
  }

  free(): void {
    this.tagger?.predictor.free()
  }
}

/** The package in a browser: what is there everywhere, with no device but WebGPU, and models as files in memory. */

export { Tokenizer } from './data/tokenizer/tokenizer.js'
export { openDevice } from './device/open_browser.js'
export * from './exports.js'
export { entityLabels } from './tasks/entities/core.js'
export { entityTexts } from './tasks/entities/data_set.js'
export type { FoundEntity, TaskCore } from './tasks/task.js'
export { type AnnotatedText, annotateText } from './training/finetuning/annotate.js'
export { finetuneInMemory, type MemoryResult } from './training/finetuning/in_memory.js'
export { loadTask, type TaskFolder } from './training/finetuning/model.js'
export {
  encodeTask,
  type ModelFiles,
  type OpenedModel,
  openFiles,
  taskOf,
} from './training/finetuning/model_files.js'
export type { FinetuneHooks } from './training/finetuning/result.js'
export { assembleRun, type FinetuneOptions, type FinetuneRun } from './training/finetuning/setup.js'

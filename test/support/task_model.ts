/** Folders of nano models with random weights for every task, whose answers differ from text to text. */
import { join } from 'node:path'
import { loadTokenizer } from '../../src/data/tokenizer/tokenizer_node.js'
import { ParameterSet } from '../../src/graph/parameters.js'
import { preset } from '../../src/model/config.js'
import { readVocabularyContents, saveModel } from '../../src/model/folder.js'
import { className } from '../../src/model/kind.js'
import { taskNamed } from '../../src/tasks/index.js'
import { writeTask } from '../../src/training/finetuning/model_node.js'
import { random } from './random.js'
import { folderWith, temporaryFolder } from './temporary.js'
import { smallTokenizerJson } from './vocabulary.js'

export interface TaskModelOptions {
  readonly labels?: readonly string[]
  readonly form?: string
  readonly maxLength?: number
  readonly preset?: string
  /** Folder of a vocabulary instead of the small one. */
  readonly vocabulary?: string
  /** Every weight, instead of random ones. */
  readonly weight?: number
}

export async function taskModel(name: string, options: TaskModelOptions = {}): Promise<string> {
  const task = taskNamed(name)
  const { labels = task.usualLabels, form = task.forms[0], maxLength = 64 } = options
  const vocabularyDir =
    options.vocabulary ?? join(folderWith({ 'v/tokenizer.json': smallTokenizerJson() }), 'v')
  const tokenizer = loadTokenizer(vocabularyDir)
  const config = preset(options.preset ?? 'nano', tokenizer.size, { maxPositions: maxLength })
  const head = task.head(labels, form)
  const parameters = new ParameterSet()
  head.declare(parameters, config, labels.length)
  const { uniform } = random(11)
  const dir = temporaryFolder()
  await saveModel(dir, {
    config,
    architecture: className(config, head.name),
    labels,
    problemType: head.problemType,
    parameters,
    data: Float32Array.from(
      { length: parameters.arenaElements },
      () => options.weight ?? uniform() * 0.6 - 0.3,
    ),
    vocabulary: readVocabularyContents(vocabularyDir),
    vocabularyDigest: tokenizer.digest,
  })
  writeTask(dir, task, { form, maxLength, fitted: {} })
  return dir
}

/** Checkpoints for tests: the golden ones of test/golden/tensorflow_bundle.py, copies that may be changed, and made ones. */
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import * as assert from 'uvu/assert'
import { InputError, type UsageError } from '../../src/error.js'
import { root } from './paths.js'
import { folderWith, temporaryFolder } from './temporary.js'
import { bundle } from './tensor_bundle.js'

export const golden = join(root, 'test/golden/tensorflow_bundle')
export const checkpoints = { albert: join(golden, 'albert'), bert: join(golden, 'bert/bert_model.ckpt') }

/** What is said by the error of that type that is thrown. */
export function message(
  run: () => unknown,
  type: typeof InputError | typeof UsageError = InputError,
): string {
  try {
    run()
  } catch (error) {
    assert.instance(error, type)
    return (error as Error).message
  }
  assert.unreachable('nothing was refused')
  return ''
}

/** A copy of ALBERT's golden folder that may be changed. */
export function copied(change: (folder: string) => void): string {
  const folder = temporaryFolder()
  cpSync(checkpoints.albert, folder, { recursive: true })
  change(folder)
  return folder
}

/** A variable of that shape with the values 0, 1, 2, ... */
export const shape = (...sizes: number[]) => ({
  shape: sizes,
  data: Float32Array.from({ length: sizes.reduce((n, m) => n * m, 1) }, (_, i) => i),
})
/** A folder with a checkpoint of these variables, and more files. */
export const written = (variables: Parameters<typeof bundle>[0], more: Record<string, string> = {}) => {
  const files = bundle(variables)
  return folderWith({
    ...Object.fromEntries(Object.entries(files).map(([suffix, bytes]) => [`made.ckpt${suffix}`, bytes])),
    ...more,
  })
}

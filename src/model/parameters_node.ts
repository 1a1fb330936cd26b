/** The parameters of a model of one's own in safetensors files. */

import { readSafetensors, writeSafetensors } from './formats/safetensors.js'
import { contentOf, type Metadata, type ParameterHolder, setParameters } from './parameters.js'

/**
 * Writes all parameters and `metadata` to a file, which appears whole or not at all.
 * @throws UserError where it cannot be written.
 */
export async function saveParameters(
  path: string,
  holder: ParameterHolder,
  metadata: Metadata = {},
): Promise<void> {
  await writeSafetensors(path, ...(await contentOf(holder, metadata)))
}

/** Sets every parameter from a file, as `decodeParameters` does from memory, and returns the metadata. */
export async function loadParameters(path: string, holder: ParameterHolder): Promise<Metadata> {
  return setParameters(readSafetensors(path), holder)
}

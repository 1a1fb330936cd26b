/**
 * The parameters of a model of one's own to safetensors bytes and back, bit for bit: one f32 tensor for each parameter, or
 * for each part of it, under its name. Python's safetensors reads them. Needs nothing of Node; parameters_node.ts has files.
 */
import { InputError } from '../error.js'
import { Runtime } from '../graph/runtime.js'
import { bytesSource } from './formats/byte_source.js'
import { encodeSafetensors, parseSafetensors, type TensorToWrite } from './formats/safetensors_format.js'
import type { WeightsFile } from './formats/weights_file.js'
import { arenaTensors, readArena } from './weights.js'

/** What has the values of a parameter set: a Trainer, an Evaluator, a Runtime. */
export type ParameterHolder = Runtime | { readonly runtime: Runtime }

/** Texts that a file keeps beside its tensors, by name. */
export type Metadata = Readonly<Record<string, string>>

/** What is written: the tensors, and the metadata with `format`, by which other libraries know the layout. */
export async function contentOf(
  holder: ParameterHolder,
  metadata: Metadata,
): Promise<[tensors: [name: string, tensor: TensorToWrite][], metadata: Metadata]> {
  const runtime = runtimeOf(holder)
  const values = await runtime.readState('parameters')
  return [arenaTensors(runtime.parameters, values), { format: 'pt', ...metadata }]
}

/** The parameters as a safetensors file in memory. */
export async function encodeParameters(
  holder: ParameterHolder,
  metadata: Metadata = {},
): Promise<Uint8Array> {
  return encodeSafetensors('parameters', ...(await contentOf(holder, metadata)))
}

/**
 * Sets every parameter from a safetensors file in memory and returns its metadata; `name` is what errors call it. Moments
 * of an optimizer stay as they are, tensors of F64, F16 and BF16 are converted.
 * @throws InputError where it is no such file, or its tensors are not the parameters by name and shape: nothing is set then.
 */
export async function decodeParameters(
  bytes: Uint8Array,
  holder: ParameterHolder,
  name = 'parameters',
): Promise<Metadata> {
  return setParameters(parseSafetensors(bytesSource(bytes, name)), holder)
}

/** As `decodeParameters`, from an open file. */
export async function setParameters(file: WeightsFile, holder: ParameterHolder): Promise<Metadata> {
  const runtime = runtimeOf(holder)
  const { parameters } = runtime
  const values = new Float32Array(parameters.arenaElements)
  readArena(file, parameters, values)
  const names = new Set(parameters.segments.map((segment) => segment.name))
  for (const { name, dtype, shape } of file.tensors.values())
    if (!names.has(name))
      throw new InputError({
        file: file.path,
        found: `tensor '${name}', ${dtype} [${shape}]`,
        expected: `only the ${names.size} tensors of the parameters`,
      })
  await runtime.writeState('parameters', values)
  return Object.fromEntries(file.metadata)
}

function runtimeOf(holder: ParameterHolder): Runtime {
  return holder instanceof Runtime ? holder : holder.runtime
}

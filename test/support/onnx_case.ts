/**
 * ONNX files in tests: run by ONNX Runtime's build for WebAssembly, on one thread, over sequences that are padded here. What comes
 * back is cut to the rows that are no padding, so that it compares with ragged results.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { env, InferenceSession, Tensor } from 'onnxruntime-web'

env.wasm.numThreads = 1
env.logLevel = 'error'

/** A sequence: its pieces, and where the second segment begins (default: there is none). */
export interface Sequence {
  readonly ids: ArrayLike<number>
  readonly second?: number
}

/** Opens a file, with the weights in `path`.data where they are there. */
export async function openOnnx(path: string, external = false): Promise<InferenceSession> {
  const data = `${path}.data`
  const externalData = external ? [{ path: basename(data), data: new Uint8Array(readFileSync(data)) }] : []
  return InferenceSession.create(new Uint8Array(readFileSync(path)), {
    graphOptimizationLevel: 'all',
    externalData,
  })
}

/**
 * Every output by name for sequences padded to the longest and `more`. Outputs with a row for each piece come back as the rows of
 * all sequences one after the other, without those of padding.
 */
export async function runOnnx(
  session: InferenceSession,
  sequences: readonly Sequence[],
  more = 0,
): Promise<Map<string, Float32Array>> {
  const B = sequences.length
  const S = Math.max(...sequences.map(({ ids }) => ids.length)) + more
  const input = (value: (sequence: Sequence, at: number) => number, padding: number) => {
    const data = new BigInt64Array(B * S).fill(BigInt(padding))
    sequences.forEach((sequence, b) => {
      for (let i = 0; i < sequence.ids.length; i++) data[b * S + i] = BigInt(value(sequence, i))
    })
    return new Tensor('int64', data, [B, S])
  }
  const results = await session.run({
    // padding is a piece like any other: nothing may depend on it but by the mask
    input_ids: input(({ ids }, i) => ids[i], 7),
    attention_mask: input(() => 1, 0),
    token_type_ids: input(({ second }, i) => Number(second !== undefined && i >= second), 1),
  })
  const byPiece = outputsByPiece(session)
  const found = new Map<string, Float32Array>()
  for (const [name, { data }] of Object.entries(results)) {
    const values = data as Float32Array
    if (!byPiece.has(name)) {
      found.set(name, values)
      continue
    }
    const width = values.length / (B * S)
    const rows = sequences.flatMap(({ ids }, b) => [
      ...values.subarray(b * S * width, (b * S + ids.length) * width),
    ])
    found.set(name, Float32Array.from(rows))
  }
  return found
}

/** Outputs of a session with a row for each piece, by the dimensions that the file declares. */
function outputsByPiece({ outputMetadata }: InferenceSession): Set<string> {
  const isByPiece = ({ isTensor, ...value }: InferenceSession.ValueMetadata) =>
    isTensor && 'shape' in value && value.shape[1] === 'sequence_length'
  return new Set(outputMetadata.filter(isByPiece).map(({ name }) => name))
}

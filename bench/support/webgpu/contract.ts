/** What a race on WebGPU asks of ours and of a peer. */
import type { Device } from '../../../src/device/device.js'
import type { InputData } from '../../../src/graph/runtime.js'
import type { Results } from '../agree.js'

export interface Operand {
  readonly shape: readonly number[]
  readonly data: InputData
}

/** What a peer is asked for: a function of its module, numbers, operands. */
export interface PeerRequest {
  readonly kind: string
  readonly sizes: Readonly<Record<string, number>>
  readonly operands: Readonly<Record<string, Operand>>
  /** Of a model or an update: tensors by name in the operand `parameters`. */
  readonly tensors?: readonly TensorPlace[]
}

export interface TensorPlace {
  readonly name: string
  readonly shape: readonly number[]
  readonly offset: number
  readonly size: number
  readonly decay: boolean
  readonly adapt: boolean
}

/** Ours, ready to run. */
export interface Ours {
  /** Of the first run, by the names that peers give theirs; an oracle has seen them. */
  readonly results: Results
  readonly flops: number
  readonly bytes: number
  run(count: number): Promise<void>
  free(): void
}

export interface WebgpuCase {
  readonly name: string
  request(): PeerRequest
  /** Rejects where it computes something else than it should. */
  ours(device: Device): Promise<Ours>
  /**
   * Of what is random, and so is not ours: throws unless a peer's results can be right by themselves, and gives those that are
   * compared all the same.
   */
  judge?(found: Results): Results
}

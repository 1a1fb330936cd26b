/**
 * The device contract. What a device guarantees:
 *
 * - A buffer is a range of device memory that starts zeroed and aligned to `alignment` bytes. `bytes` counts all of them.
 * - `write` has taken the data when its promise resolves; the caller may reuse the array then.
 * - `prepare` checks the program once (known kernels, slots as the kernel declares them, ranges inside their arenas)
 *   and throws a UserError that names the kernel otherwise. A kernel that a device lacks is such an error.
 * - `run` executes every call in order, each seeing all that the calls before it wrote. It never blocks the event
 *   loop; runs of one device happen one after the other, in the order they were asked for.
 * - The same program on the same device with the same inputs gives the same bits, whatever the number of threads.
 * - `read` and `write` are ordered with the runs.
 * - `destroy` frees everything; a live device may keep the process alive.
 */
import type { Program } from './program.js'

/** `cuda-emulated` runs the kernels of `cuda` on the CPU, slowly, and checks every access: for tests. */
export type DeviceName = 'cpu' | 'webgpu' | 'cuda' | 'cuda-emulated'

/** A device to open; `cuda` is the first GPU, `cuda:1` the second. */
export type DeviceChoice = DeviceName | `cuda:${number}`

export interface DeviceInfo {
  readonly name: DeviceName
  /** What it is, for people: processor or adapter, instruction set, threads. */
  readonly detail: string
  /** Facts that a bench records. */
  readonly facts: Readonly<Record<string, string | number>>
  /** What else it is and can, for people. */
  readonly properties?: Readonly<Record<string, Property>>
}

export type Property = string | number | readonly string[] | Readonly<Record<string, string | number>>

export interface DeviceBuffer {
  readonly bytes: number
  readonly label: string
}

/** What `alloc` is asked for. */
export interface ArenaLayout {
  readonly bytes: number
  readonly label: string
  readonly cuts?: readonly number[]
}

export interface Prepared {
  readonly program: Program
  /** Where a program is compiled behind `prepare`: settled when it can run at once, which a run waits for; undefined from then on. */
  readonly ready?: Promise<void>
}

/**
 * One execution of one call. A timeline costs a run next to nothing: a device reads its clock before and after a call
 * and keeps the readings in memory that it had before. Where it cannot (`timelineClock` is `host`), every call is
 * submitted and awaited by itself, so that durations include that, and a run takes longer than it otherwise would.
 */
export interface TimelineEvent {
  /** Index of the call among `calls(program)`. */
  readonly call: number
  readonly iteration: number
  /** Nanoseconds from the start of the run. */
  readonly start: number
  readonly duration: number
}

export interface Device {
  readonly info: DeviceInfo
  /** Offsets of buffers bound to kernels are multiples of this many bytes. */
  readonly alignment: number
  /** Whose clock `timeline` reads. */
  readonly timelineClock: 'device' | 'host'
  /** Bytes held now: buffers and the device's own working memory. */
  readonly bytes: number
  /** Bytes that buffers can still take, where the device has memory of its own; undefined where that is the machine's. */
  readonly available?: number
  /** Whether it is of its own, or may be, and nobody can tell how much there is. */
  readonly isMemoryUnknown?: boolean
  /**
   * Where a buffer may lie in several blocks: bytes of a block at most. A kernel sees a range that lies across blocks through a
   * copy, so values are best placed across no multiple of it. Undefined where memory is one piece.
   */
  readonly block?: number
  supports(kernel: string): boolean
  /**
   * With `cuts`, increasing offsets, blocks begin at those alone; buffers of one size with the same cuts are cut alike. Kernels that
   * walk a whole arena by a table of chunks need that: no chunk may lie across blocks.
   */
  alloc(bytes: number, label: string, cuts?: readonly number[]): DeviceBuffer
  free(buffer: DeviceBuffer): void
  write(buffer: DeviceBuffer, offset: number, data: ArrayBufferView): Promise<void>
  /** A copy of `bytes` bytes from `offset`. */
  read(buffer: DeviceBuffer, offset: number, bytes: number): Promise<ArrayBuffer>
  /** Binds a program to one buffer per arena of it, in its order. */
  prepare(program: Program, arenas: readonly DeviceBuffer[]): Prepared
  /**
   * Bytes that a program over such arenas would hold beside them, before any of it is allocated; left out where that is nothing, or
   * not known. Throws as `prepare` does.
   */
  programBytes?(program: Program, arenas: readonly ArenaLayout[]): number
  /** Scalars by name; one that the program uses and that is missing is an error. */
  run(prepared: Prepared, scalars: Readonly<Record<string, number>>): Promise<void>
  /** As `run`, and tells when each call ran and for how long. */
  timeline(prepared: Prepared, scalars: Readonly<Record<string, number>>): Promise<TimelineEvent[]>
  sync(): Promise<void>
  destroy(): Promise<void>
}

/**
 * Options that several commands share, and the parsers of their values. A parser throws commander's
 * InvalidArgumentError, which main.ts turns into `bioalbert: option '...' argument '...' is invalid. ...`
 * and exit status 2. `addShared(command, 'device', 'seed')` adds the options of the table in one call.
 */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { DeviceChoice } from '../device/device.js'

/** What can execute programs, as `devices` lists it. */
export const deviceNames = ['cpu', 'webgpu', 'cuda'] as const
export type DeviceName = (typeof deviceNames)[number]

/** One of `deviceNames`, `cuda:1` for the second GPU, or `cuda-emulated`, which is for tests. */
export function deviceChoice(text: string): DeviceChoice {
  const isKnown = (deviceNames as readonly string[]).includes(text) || text === 'cuda-emulated'
  if (isKnown || /^cuda:\d{1,4}$/.test(text)) return text as DeviceChoice
  throw new InvalidArgumentError(
    `Allowed choices are ${deviceNames.join(', ')}, and cuda:1 for the second GPU.`,
  )
}

/** Number formats of activations and matrix operands; everything else is f32. f16: on WebGPU, with loss scaling in training. */
export const precisions = ['f32', 'bf16', 'f16'] as const
export type Precision = (typeof precisions)[number]
/** What --help says of it. */
export const F16 = 'f16: on webgpu'

/** Those of inference; int8: 8-bit integers are the operands of the encoder's dense layers, activations stay f32. */
export const inferencePrecisions = [...precisions, 'int8'] as const
export type InferencePrecision = (typeof inferencePrecisions)[number]

function number(text: string): number {
  // Number('') and Number(' ') are 0, and hexadecimal or binary notation is never meant.
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN
}

function integerFrom(low: number, want: string): (text: string) => number {
  return (text) => {
    const value = number(text)
    if (Number.isSafeInteger(value) && value >= low) return value
    throw new InvalidArgumentError(`Expected ${want}.`)
  }
}

function numberWhere(test: (value: number) => boolean, want: string): (text: string) => number {
  return (text) => {
    const value = number(text)
    if (Number.isFinite(value) && test(value)) return value
    throw new InvalidArgumentError(`Expected ${want}.`)
  }
}

/** 1, 2, 3, ... */
export const positiveInteger = integerFrom(1, 'a whole number of 1 or more')
/** 0, 1, 2, ... */
export const nonNegativeInteger = integerFrom(0, 'a whole number of 0 or more')
/** A finite number above 0, such as a learning rate. */
export const positiveNumber = numberWhere((value) => value > 0, 'a number above 0')
/** A finite number of 0 or more, such as a weight decay. */
export const nonNegativeNumber = numberWhere((value) => value >= 0, 'a number of 0 or more')
/** 0 to 1, both included. */
export const probability = numberWhere((value) => value >= 0 && value <= 1, 'a number from 0 to 1')

/** A seed: 0 to 2^32 - 1, the key of the counter-based generators. */
export function seed(text: string): number {
  const value = number(text)
  if (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 32) return value
  throw new InvalidArgumentError('Expected a whole number from 0 to 4294967295.')
}

/** Whole numbers within [low, high], both included. */
export function integerWithin(low: number, high: number): (text: string) => number {
  return (text) => {
    const value = number(text)
    if (Number.isSafeInteger(value) && value >= low && value <= high) return value
    throw new InvalidArgumentError(`Expected a whole number from ${low} to ${high}.`)
  }
}

/** What the shared options leave in the object that a command's action receives. */
export interface SharedOptions {
  device: DeviceChoice
  precision: Precision
  /** Worker threads; undefined leaves the choice to the device (one for each core). */
  threads?: number
  seed: number
  /** Ends a run early, after this many steps in all. */
  steps?: number
  json?: boolean
  quiet?: boolean
}

/** Of a command that trains nothing, with `addInferencePrecision`. */
export interface InferenceOptions extends Omit<SharedOptions, 'precision'> {
  precision: InferencePrecision
}

const shared: Record<keyof SharedOptions, () => Option> = {
  device: () =>
    new Option('--device <name>', 'what runs the kernels; cuda:1 is the second GPU')
      .choices(deviceNames)
      .argParser(deviceChoice)
      .default('cpu'),
  precision: () =>
    new Option('--precision <type>', `activations and matrix operands; ${F16}`)
      .choices(precisions)
      .default('f32'),
  threads: () =>
    new Option('--threads <n>', 'worker threads (default: one for each core)').argParser(
      integerWithin(1, 1024),
    ),
  seed: () => new Option('--seed <n>', 'seed of everything random').argParser(seed).default(42),
  steps: () =>
    new Option('--steps <n>', 'end the run early, after this many steps').argParser(positiveInteger),
  json: () => new Option('--json', 'print one JSON object as the last line of standard output'),
  quiet: () => new Option('--quiet', 'no progress on standard error'),
}

/** Adds shared options to a command, in the given order, and returns the command. */
export function addShared(command: Command, ...names: (keyof SharedOptions)[]): Command {
  for (const name of names) command.addOption(shared[name]())
  return command
}

/** Adds --precision with the choices of inference, and returns the command. */
export function addInferencePrecision(command: Command): Command {
  const text = `activations and matrix operands; int8: 8-bit integers in dense layers, the rest in f32; ${F16}`
  return command.addOption(new Option('--precision <type>', text).choices(inferencePrecisions).default('f32'))
}

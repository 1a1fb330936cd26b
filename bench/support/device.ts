/** What benches run on: the CPU, or the device that --device names; and what their peers in Python run on beside it. */
import { availableParallelism } from 'node:os'
import type { Device, DeviceChoice } from '../../src/device/device.js'
import { openDevice } from '../../src/device/open.js'
import type { Peaks } from '../../src/device/peak.js'
import { threadsFromEnvironment } from '../../src/environment.js'
import { type Card, CHIPS } from '../../src/profile/gpu_model.js'

export const benchDevice = (process.env.BIOALBERT_BENCH_DEVICE || 'cpu') as DeviceChoice

/** Whether it is a GPU of NVIDIA, or one emulated: single ops then are timed many to a run. */
export const isCuda = benchDevice.startsWith('cuda')

/** Whether times mean nothing and sizes are small. */
export const isEmulated = benchDevice === 'cuda-emulated'

/** BIOALBERT_BENCH_SHORT=1: what matters most, in fewer rounds; for a GPU that is at hand for minutes. */
export const isShort = process.env.BIOALBERT_BENCH_SHORT === '1'

/** What PyTorch runs on, as its peers take it. */
export const peerDevice = isCuda && !isEmulated ? 'cuda' : 'cpu'

/** Threads of both sides: BIOALBERT_THREADS, or one a core. */
export const threads = threadsFromEnvironment() ?? availableParallelism()

export function openBenchDevice(): Promise<Device> {
  return openDevice(benchDevice, { threads })
}

/** The card of the model of performance that a GPU is, by the name that its driver gives; undefined if it is none of them. */
export function cardOf(gpu: string): Card | undefined {
  const known: [RegExp, Card][] = [
    [/\bA100\b.*SXM/, 'a100'],
    [/\bH100\b(?!.*(PCIe|NVL))/, 'h100'],
    [/\bH200\b(?!.*NVL)/, 'h200'],
    [/\bRTX 4090\b(?! D)/, 'rtx4090'],
  ]
  return known.find(([name]) => name.test(gpu))?.[1]
}

/** Peaks of a card's data sheet in 10^9 a second, its copy as it was measured; what a GPU's own benches compare with. */
export function cardPeaks(card: Card): Partial<Peaks> {
  const { multiprocessors, clock, tensorFlops, vectorFlops, copy } = CHIPS[card]
  const each = multiprocessors * clock
  return { gflops: each * vectorFlops, bf16: each * tensorFlops, gigabytes: copy }
}

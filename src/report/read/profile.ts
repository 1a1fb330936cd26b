/** Reads what `profile --json` printed, where somebody kept it in a folder as profile.json, and pictures beside it. */
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { readText } from '../../data/files/text_node.js'
import type { Picture, Profile } from '../model.js'
import { count, percent, short } from '../numbers.js'
import { readJson } from './json.js'

export const PROFILE_FILE = 'profile.json'
/** Bytes of a picture that is still taken into a page. */
const LARGEST_PICTURE = 2_000_000

const maybe = z.number().nullable().default(null)
const schema = z.object({
  model: z.string().optional(),
  device: z.string(),
  precision: z.string(),
  rows: z.number(),
  steps: z.number(),
  step_ms: z.number(),
  tokens_per_second: maybe,
  gflops: maybe,
  mfu: maybe,
  kernels: z.array(
    z.object({
      name: z.string(),
      calls: z.number(),
      ms: z.number(),
      share: z.number(),
      gflops: maybe,
      gbps: maybe,
      percent_of_peak: maybe,
      roof: z.string().nullable().default(null),
    }),
  ),
})

export function readProfile(dir: string, name: string): Profile {
  const read = readJson(join(dir, PROFILE_FILE), schema, 'what `bioalbert profile --json` prints')
  const { model, device, precision, rows, steps, step_ms, tokens_per_second, gflops, mfu } = read
  return {
    name,
    facts: [
      ...(model === undefined ? [] : [['model', model] as const]),
      ['device', device],
      ['precision', precision],
      ['tokens a step', count(rows)],
      ['steps recorded', count(steps)],
      ['a step', `${step_ms.toFixed(2)} ms`],
      ...(tokens_per_second === null
        ? []
        : [['tokens a second', count(Math.round(tokens_per_second))] as const]),
      ...(gflops === null ? [] : [['GFLOP/s', short(gflops)] as const]),
      ...(mfu === null ? [] : [['MFU', `${percent(mfu, 1)} %`] as const]),
    ],
    kernels: read.kernels.map(({ percent_of_peak, ...kernel }) => ({
      ...kernel,
      percentOfPeak: percent_of_peak,
    })),
  }
}

/** Drawings named after a profile or a roofline. */
export function readPictures(dir: string, name: string): Picture[] {
  return readdirSync(dir)
    .filter((file) => /(profile|roofline).*\.svg$/i.test(file))
    .sort()
    .filter((file) => statSync(join(dir, file)).size <= LARGEST_PICTURE)
    .map((file) => ({ name: `${name}: ${file}`, svg: readText(join(dir, file), 'a picture (SVG)') }))
}

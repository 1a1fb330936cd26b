/**
 * Reads the folder of one run, of pretraining or of fine-tuning, finished or not: scores.json is there when a fine-tuning
 * run has ended, the newest checkpoint tells settings and steps of one that has not, log.jsonl holds the curves of both.
 */

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { SCORES_FILE } from '../../training/finetuning/result_node.js'
import type { BenchmarkPlace, Run } from '../model.js'
import { readJson, readJsonIfThere } from './json.js'
import { readLog } from './log.js'
import { predictionsFile } from './predictions.js'

const LOG_FILE = 'log.jsonl'

const values = z.record(z.string(), z.unknown())

const scoresSchema = z.object({
  task: z.string(),
  metric: z.string(),
  best_step: z.number().optional(),
  steps: z.number(),
  // what it was before it said why
  collapsed: z.union([z.string(), z.boolean()]).nullable().default(null),
  dev: values,
  test: values,
  labels: z.array(z.string()).default([]),
  seconds: z.number().optional(),
  tokens_per_second: z.number().optional(),
  settings: values.default({}),
})

const stateSchema = z.object({
  kind: z.string().optional(),
  step: z.number(),
  settings: values.default({}),
})

/** Whether a folder is that of a run; it may have been stopped before its first step. */
export function isRun(files: ReadonlySet<string>): boolean {
  return (
    files.has(SCORES_FILE) || files.has(LOG_FILE) || [...files].some((file) => stepOf(file) !== undefined)
  )
}

export function readRun(dir: string, name: string, place?: BenchmarkPlace): Run {
  const scores = readJsonIfThere(join(dir, SCORES_FILE), scoresSchema, 'the scores of a fine-tuning run')
  const log = readLog(join(dir, LOG_FILE))
  const state = newestState(dir)
  const task = readJsonIfThere(join(dir, 'task.json'), z.object({ task: z.string().optional() }), 'a task')
  const predictions = predictionsFile(dir)
  const shared = {
    name,
    dir,
    ...(log && { log }),
    ...(predictions !== undefined && { predictions }),
    ...(place && { place }),
  }
  if (scores !== undefined) {
    const { best_step, steps, collapsed, seconds, tokens_per_second, ...rest } = scores
    return {
      ...shared,
      ...rest,
      kind: 'fine-tuning',
      finished: true,
      step: steps,
      totalSteps: steps,
      bestStep: best_step,
      collapsed: collapsed === true ? 'no entity was found' : collapsed || undefined,
      seconds,
      tokensPerSecond: tokens_per_second,
    }
  }
  const isPretraining = state?.kind === 'pretrain' || ['mlm', 'mlm_loss'].some((key) => log?.series.has(key))
  const step = log?.lastStep ?? state?.step ?? 0
  const totalSteps = totalOf(state?.settings ?? {})
  return {
    ...shared,
    kind: isPretraining ? 'pretraining' : 'fine-tuning',
    finished: isPretraining ? (totalSteps === undefined ? undefined : step >= totalSteps) : false,
    step,
    totalSteps,
    task: isPretraining ? undefined : task?.task,
    labels: [],
    settings: state?.settings ?? {},
  }
}

function newestState(dir: string): z.infer<typeof stateSchema> | undefined {
  const newest = readdirSync(dir)
    .filter((file) => stepOf(file) !== undefined && existsSync(join(dir, file, 'state.json')))
    .sort((a, b) => stepOf(b)! - stepOf(a)!)
    .at(0)
  return newest === undefined
    ? undefined
    : readJson(join(dir, newest, 'state.json'), stateSchema, 'the state of a checkpoint')
}

function stepOf(folder: string): number | undefined {
  const found = /^checkpoint-(\d+)$/.exec(folder)
  return found ? Number(found[1]) : undefined
}

/** Steps that a run was to make, from its settings. */
function totalOf(settings: Readonly<Record<string, unknown>>): number | undefined {
  const schedule = z.object({ total: z.number() }).safeParse(settings.schedule)
  if (schedule.success) return schedule.data.total
  return typeof settings.total_steps === 'number' ? settings.total_steps : undefined
}

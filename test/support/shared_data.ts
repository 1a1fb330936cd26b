/**
 * The folder of public data sets that some tests read and that this repository does not carry:
 * BIOALBERT_SHARED_DATA, or ../shared/data beside the repository.
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { sharedDataFromEnvironment } from '../../src/environment.js'
import { root } from './paths.js'

/** Absolute path of the folder, or undefined where it is absent. */
export const sharedData: string | undefined = find()

/** Why a test that needs the folder is skipped. */
export const noSharedData = 'no data folder: set BIOALBERT_SHARED_DATA, or put it at ../shared/data'

function find(): string | undefined {
  const path = sharedDataFromEnvironment() ?? join(root, '..', 'shared', 'data')
  return existsSync(path) ? resolve(path) : undefined
}

/** Absolute path of a file or folder inside the shared data, or undefined where either is absent. */
export function sharedFile(...parts: string[]): string | undefined {
  if (sharedData === undefined) return undefined
  const path = join(sharedData, ...parts)
  return existsSync(path) ? path : undefined
}

/** Types of build.mjs, for the tests. */
import type { BuildOptions } from 'esbuild'
import type { KernelSources } from '../device/webgpu_source.js'

export const options: BuildOptions
export const entries: Readonly<Record<string, string>>
export function shortened(text: string): string
export function shortenedSources(sources: KernelSources): KernelSources

/** What an adapter is and can: the features that kernels use if they are there, and the limits that matter to them. */

import type { Property } from '../device.js'

/** Beside names of the specification, those of Dawn. */
const FEATURES = [
  'timestamp-query',
  'shader-f16',
  'subgroups',
  'chromium-experimental-subgroup-matrix',
] as const

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
] as const

/** Lanes of a subgroup and shapes of its matrices, as Dawn tells them. */
interface SubgroupInfo {
  readonly subgroupMinSize?: number
  readonly subgroupMaxSize?: number
  readonly subgroupMatrixConfigs?: readonly {
    readonly componentType: string
    readonly resultComponentType: string
    readonly M: number
    readonly N: number
    readonly K: number
  }[]
}

export interface AdapterReport {
  /** For people. */
  readonly name: string
  readonly vendor: string
  readonly architecture: string
  readonly description: string
  /** It computes on the processor: WebGPU calls it a fallback. */
  readonly isSoftware: boolean
  /** Of those that kernels use, the ones that are there. */
  readonly features: readonly string[]
  readonly limits: Readonly<Record<(typeof LIMITS)[number], number>>
  /** Fewest and most lanes of a subgroup; undefined where that is not told. */
  readonly subgroupSizes: readonly [number, number] | undefined
  /** Operands, sums, M x N x K: `f16 -> f32 16x16x16`. */
  readonly subgroupMatrices: readonly string[]
}

export function requestedFeatures(offered: ReadonlySet<string>): GPUFeatureName[] {
  return FEATURES.filter((feature) => offered.has(feature)) as GPUFeatureName[]
}

export function requestedLimits(limits: GPUSupportedLimits): Record<string, number> {
  return Object.fromEntries(LIMITS.map((name) => [name, limits[name]]))
}

export function describeAdapter(
  info: GPUAdapterInfo & SubgroupInfo,
  device: Pick<GPUDevice, 'features' | 'limits'>,
): AdapterReport {
  const { vendor, architecture, description, subgroupMinSize, subgroupMaxSize } = info
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'unnamed adapter'
  return {
    name,
    vendor,
    architecture,
    description,
    isSoftware: info.isFallbackAdapter === true,
    features: FEATURES.filter((feature) => device.features.has(feature)),
    limits: Object.fromEntries(
      LIMITS.map((limit) => [limit, device.limits[limit]]),
    ) as AdapterReport['limits'],
    subgroupSizes: subgroupMinSize && subgroupMaxSize ? [subgroupMinSize, subgroupMaxSize] : undefined,
    subgroupMatrices: [...(info.subgroupMatrixConfigs ?? [])].map(
      ({ componentType, resultComponentType, M, N, K }) =>
        `${componentType} -> ${resultComponentType} ${M}x${N}x${K}`,
    ),
  }
}

/** The report for people: what is empty is left out. */
export function adapterProperties(report: AdapterReport): Record<string, Property> {
  const { vendor, architecture, description, features, limits, subgroupSizes, subgroupMatrices } = report
  return {
    vendor,
    architecture,
    description,
    features,
    ...(subgroupSizes && { 'subgroup lanes': subgroupSizes.join(' to ') }),
    ...(subgroupMatrices.length > 0 && { 'subgroup matrices': subgroupMatrices }),
    'buffer bytes': limits.maxBufferSize,
    'binding bytes': limits.maxStorageBufferBindingSize,
    'workgroup bytes': limits.maxComputeWorkgroupStorageSize,
    'workgroup invocations': limits.maxComputeInvocationsPerWorkgroup,
  }
}

/** Every environment variable that the project reads. */

/** `BIOALBERT_ISA`: instruction set of the CPU kernels (generic, avx2, avx512, amx) instead of the best one. */
export function isaFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_ISA || undefined
}

/** `BIOALBERT_THREADS`: threads of the CPU device instead of one per core. */
export function threadsFromEnvironment(): number | undefined {
  const text = process.env.BIOALBERT_THREADS
  return text ? Number(text) : undefined
}

/** `BIOALBERT_SHARED_DATA`: folder of the public data sets that some tests read. */
export function sharedDataFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_SHARED_DATA || undefined
}

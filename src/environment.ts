/** Every environment variable that the project reads. */

/** `BIOALBERT_ISA`: instruction set of the CPU kernels (generic, avx2, avx512, avx512_vnni, avx512_bf16, amx) instead of the best one. */
export function isaFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_ISA || undefined
}

/** `BIOALBERT_THREADS`: threads of the CPU device instead of one per core. */
export function threadsFromEnvironment(): number | undefined {
  const text = process.env.BIOALBERT_THREADS
  return text ? Number(text) : undefined
}

/** `BIOALBERT_PIN=0`: threads of the CPU device are not bound to cores. */
export function pinFromEnvironment(): boolean {
  return process.env.BIOALBERT_PIN !== '0'
}

/** `BIOALBERT_ADDON`: file of the CPU addon instead of the one in native/build/Release (a build with a sanitizer). */
export function addonFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_ADDON || undefined
}

/** `BIOALBERT_CUDA_ADDON`: file of the CUDA addon, or of the emulated one, instead of the one in native/cuda (a build with a sanitizer). */
export function cudaAddonFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_CUDA_ADDON || undefined
}

/** `BIOALBERT_SHARED_DATA`: folder of the public data sets that some tests read. */
export function sharedDataFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_SHARED_DATA || undefined
}

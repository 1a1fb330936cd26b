/** Every environment variable that the project reads. */

/**
 * `BIOALBERT_ISA`: instruction set of the CPU kernels instead of the best one: generic; on x86-64 avx2, avx512, avx512_vnni, avx512_bf16,
 * amx; on AArch64 neon, neon_int8, neon_bf16.
 */
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

/** `BIOALBERT_ADDON`: file of the CPU addon instead of the one built here or ahead (a build with a sanitizer, a binary for another system). */
export function addonFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_ADDON || undefined
}

/** `BIOALBERT_CUDA_ADDON`: file of the CUDA addon, or of the emulated one, instead of the one in native/cuda (a build with a sanitizer). */
export function cudaAddonFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_CUDA_ADDON || undefined
}

/**
 * `BIOALBERT_WEBGPU_VARIANTS`: variants of shared WGSL code by family, `product=registers,attention=plain`, instead of those that are
 * measured to be fastest; of a family that is left out (of all, with `first`) the first one that the adapter can run.
 */
export function webgpuVariantsFromEnvironment(): Record<string, string> | undefined {
  const text = process.env.BIOALBERT_WEBGPU_VARIANTS
  if (!text) return undefined
  const pairs = text.split(',').filter((pair) => pair.trim() !== 'first')
  return Object.fromEntries(pairs.map((pair) => pair.split('=', 2).map((part) => part.trim())))
}

/** `BIOALBERT_SHARED_DATA`: folder of the public data sets that some tests read. */
export function sharedDataFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_SHARED_DATA || undefined
}

/** `BIOALBERT_CACHE`: folder in which `fetch` keeps what it downloaded and WebGPU what it measured, instead of the user's cache folder. */
export function cacheFromEnvironment(): string | undefined {
  return process.env.BIOALBERT_CACHE || undefined
}

/** Where programs keep what they can get again: `XDG_CACHE_HOME`, or on Windows `LOCALAPPDATA`. */
export function userCacheFromEnvironment(): string | undefined {
  return (process.platform === 'win32' ? process.env.LOCALAPPDATA : process.env.XDG_CACHE_HOME) || undefined
}

/** What Hugging Face's own tools read: `HF_ENDPOINT` (a mirror of the hub), `HF_TOKEN`, `HF_HUB_OFFLINE`. */
export function hubFromEnvironment(): { endpoint?: string; token?: string; offline: boolean } {
  const { HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE } = process.env
  const offline = /^(1|on|yes|true)$/i.test(HF_HUB_OFFLINE ?? '')
  return { endpoint: HF_ENDPOINT || undefined, token: HF_TOKEN || undefined, offline }
}

/** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`; in lower case they go before, as with other programs. */
export function proxiesFromEnvironment(): { http?: string; https?: string; none?: string } {
  const read = (name: string) => process.env[name.toLowerCase()] ?? process.env[name]
  return { http: read('HTTP_PROXY'), https: read('HTTPS_PROXY'), none: read('NO_PROXY') }
}

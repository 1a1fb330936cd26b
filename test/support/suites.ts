/**
 * Imports test files into one process, so that their suites run on the device that is judged. uvu starts a millisecond after the
 * last suite asked for it, be others still being imported or not, and once more for those: suites would then run side by side.
 * So what starts them is held back here; the importing file's own `run` starts all of them, one after the other.
 */

/** Imports files by their addresses, in order. */
export async function importSuites(files: readonly URL[]): Promise<void> {
  const { setTimeout } = globalThis
  const held = ((callback: () => void, ...rest: [number?]) =>
    callback.name === 'exec' ? undefined : setTimeout(callback, ...rest)) as typeof setTimeout
  globalThis.setTimeout = held
  try {
    for (const file of files) await import(file.href)
  } finally {
    globalThis.setTimeout = setTimeout
  }
}

/**
 * The wait for kernels that a device compiles behind `prepare`, which on WebGPU may take minutes: a person who ends a run meanwhile
 * does not wait for it. Needs nothing of Node.
 */
import type { Runtime } from '../graph/runtime.js'

/** Milliseconds between two looks at whether the person wants to stop. */
const LOOK = 50

/** Waits until a program can run at once; false where the person wants to stop before. What is wrong with a kernel is told by the run. */
export async function compiledUnless(
  runtime: Runtime,
  program: string,
  wantsStop: () => boolean,
): Promise<boolean> {
  let isThere = false
  const compiled = runtime.compiled(program)
  const there = compiled
    ?.catch(() => undefined)
    .then(() => {
      isThere = true
    })
  if (!there) return true
  while (!isThere) {
    if (wantsStop()) return false
    let timer: ReturnType<typeof setTimeout> | undefined
    const look = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOK)
    })
    await Promise.race([there, look])
    clearTimeout(timer)
  }
  return true
}

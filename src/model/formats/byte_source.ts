/**
 * Where the bytes of a file of weights come from. Readers ask for what they need and keep nothing, so that a file may be
 * larger than memory. Bytes in memory here; file_source.ts has files.
 */

export interface ByteSource {
  /** What errors call it. */
  readonly path: string
  readonly size: number
  /** Fills `target` with the bytes from `position` on. */
  read(target: Uint8Array, position: number): void
}

/** Bytes in memory; `path` is what errors call them. */
export function bytesSource(bytes: Uint8Array, path: string): ByteSource {
  return {
    path,
    size: bytes.length,
    read: (target, position) => target.set(bytes.subarray(position, position + target.length)),
  }
}

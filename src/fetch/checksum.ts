/**
 * Checksums of what was fetched: SHA-256, as the hub gives for large files and the catalogue for data sets, or the SHA-1
 * of a git blob (`blob LENGTH`, a zero byte, the content), as a listing gives for small ones.
 */
import { createHash } from 'node:crypto'
import { createReadStream, statSync } from 'node:fs'

export interface Checksum {
  readonly kind: 'sha256' | 'git'
  /** In lower case. */
  readonly hex: string
}

export interface Digests {
  readonly size: number
  readonly sha256: string
  readonly git: string
}

/** Both digests of a file, in one pass. */
export async function digests(file: string): Promise<Digests> {
  const { size } = statSync(file)
  const sha256 = createHash('sha256')
  const git = createHash('sha1').update(`blob ${size}\0`)
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
    sha256.update(chunk)
    git.update(chunk)
  }
  return { size, sha256: sha256.digest('hex'), git: git.digest('hex') }
}

export function agrees(found: Digests, { kind, hex }: Checksum): boolean {
  return found[kind] === hex
}

export function checksumName({ kind }: Checksum): string {
  return kind === 'sha256' ? 'SHA-256' : 'git SHA-1'
}

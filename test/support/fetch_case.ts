/** What tests of downloads share: a transport and retries that do not wait long, one download and what came of it. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type DownloadOptions, download, type Wanted } from '../../src/fetch/download.js'
import { Transport, type TransportOptions } from '../../src/fetch/transport.js'
import { temporaryFolder } from './temporary.js'
import { sha256 } from './web_server.js'

export const quick = { tries: 4, first: 2, longest: 10 }
const timeouts = { connect: 2000, idle: 150 }
const transports: Transport[] = []

export function transport(options: TransportOptions = {}): Transport {
  const made = new Transport({ timeouts, ...options })
  transports.push(made)
  return made
}

export async function closeTransports(): Promise<void> {
  await Promise.all(transports.map((one) => one.close()))
}

export interface Outcome {
  /** The final file, or undefined where there is none. */
  readonly bytes?: Buffer
  readonly error?: Error
  readonly folder: string
  /** Names in the folder. */
  readonly names: string[]
  /** The sum of all that was reported. */
  readonly reported: number
}

/** Downloads to `final` by way of `part` in a folder, a new one if none is given. */
export async function tryDownload(
  url: string,
  wanted: Partial<Wanted> & { expected?: Uint8Array } = {},
  { folder = temporaryFolder(), ...options }: Partial<DownloadOptions> & { folder?: string } = {},
): Promise<Outcome> {
  const { expected, ...rest } = wanted
  const known = expected && {
    size: expected.length,
    checksum: { kind: 'sha256', hex: sha256(expected) } as const,
  }
  let reported = 0
  let error: Error | undefined
  try {
    await download(
      { name: 'file', url, most: expected?.length ?? 1 << 20, ...known, ...rest },
      join(folder, 'final'),
      join(folder, 'part'),
      {
        transport: options.transport ?? transport(),
        retries: quick,
        ...options,
        onBytes: (count) => {
          reported += count
          options.onBytes?.(count)
        },
      },
    )
  } catch (thrown) {
    error = thrown as Error
  }
  const final = join(folder, 'final')
  const bytes = existsSync(final) ? readFileSync(final) : undefined
  return { bytes, error, folder, names: readdirSync(folder).sort(), reported }
}

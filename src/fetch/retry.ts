/**
 * What may pass by itself is tried again: dropped and refused connections, time-outs, 408, 425, 429 and 5xx. The waits
 * double from half a second and vary a little, so that many clients do not come back together; a server that says when
 * (Retry-After) is believed, within bounds.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { UserError } from '../error.js'

export interface RetryPolicy {
  /** Failures in a row, with no byte gained, after which it is given up. */
  readonly tries: number
  /** Milliseconds before the second try. */
  readonly first: number
  readonly longest: number
}

export const usualRetries: RetryPolicy = { tries: 6, first: 500, longest: 30_000 }

/** Seconds that a server may ask for; one that wants more is not waited for. */
const LONGEST_ASKED = 300

/** A failure that may pass. `seconds` is what the server asked for. */
export class PassingError extends Error {
  override name = 'PassingError'
  constructor(
    message: string,
    readonly seconds?: number,
  ) {
    super(message)
  }
}

const passing = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'Z_BUF_ERROR',
  'Z_DATA_ERROR',
  'ERR_STREAM_PREMATURE_CLOSE',
])

/** Whether a connection failed in a way that may pass. */
export function isPassing(error: unknown): boolean {
  if (error instanceof PassingError) return true
  const code = (error as { code?: unknown } | null)?.code
  // what a parser of HTTP finds wrong (HPE_...) may be a connection that was cut amid the headers
  return typeof code === 'string' && (passing.has(code) || code.startsWith('HPE_'))
}

/** Seconds of a Retry-After, which is a number or a date; undefined for anything else. */
export function retryAfter(text: string | undefined, now = Date.now()): number | undefined {
  if (text === undefined) return undefined
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text)
  const at = /[a-z]/i.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, (at - now) / 1000)
}

/** Counts failures in a row and waits between tries. */
export class Patience {
  #failures = 0
  constructor(
    readonly policy: RetryPolicy,
    /** For messages: what is being fetched. */
    readonly what: string,
    readonly signal?: AbortSignal,
  ) {}

  /** Something was gained: failures before it do not count. */
  gained(): void {
    this.#failures = 0
  }

  /** Waits before the next try; throws where it was the last, or where `error` will not pass. */
  async failed(error: unknown): Promise<void> {
    if (this.signal?.aborted) throw this.signal.reason
    if (!isPassing(error)) throw error
    const reason = reasonOf(error)
    if (++this.#failures >= this.policy.tries)
      throw new UserError(`${this.what}: ${reason} (tried ${this.#failures} times)`)
    const { first, longest } = this.policy
    const doubled = Math.min(longest, first * 2 ** (this.#failures - 1)) * (0.75 + Math.random() / 2)
    const asked = error instanceof PassingError ? error.seconds : undefined
    if (asked !== undefined && asked > LONGEST_ASKED)
      throw new UserError(`${this.what}: ${reason}, and wants to be asked again in ${Math.ceil(asked)} s`)
    await sleep(asked === undefined ? doubled : Math.max(doubled, 1000 * asked), undefined, {
      signal: this.signal,
    })
  }
}

const words: Record<string, string> = {
  ECONNRESET: 'the connection was dropped',
  EPIPE: 'the connection was dropped',
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'no such host is known',
  EAI_AGAIN: 'the name of the host cannot be looked up',
  UND_ERR_SOCKET: 'the connection was dropped',
  UND_ERR_CONNECT_TIMEOUT: 'no connection within the time allowed',
  UND_ERR_HEADERS_TIMEOUT: 'no answer within the time allowed',
  UND_ERR_BODY_TIMEOUT: 'nothing arrived any more',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'the connection was dropped',
  Z_DATA_ERROR: 'the compressed answer is broken',
  Z_BUF_ERROR: 'the compressed answer ended early',
  ERR_STREAM_PREMATURE_CLOSE: 'the connection was dropped',
}

/** Why a connection failed, in words. */
export function reasonOf(error: unknown): string {
  const { code, message, errors } = error as { code?: string; message: string; errors?: unknown[] }
  // a host of several addresses fails once for each of them
  if (errors !== undefined && errors.length > 0) return reasonOf(errors[0])
  if (code?.startsWith('HPE_')) return 'the answer is no HTTP'
  return (code !== undefined && words[code]) || message || String(code)
}

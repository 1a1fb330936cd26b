/**
 * Bodies: JSON in UTF-8 and nothing else, read whole up to a limit, with a limit on what all connections together hold of
 * them. Bytes that are not UTF-8 are refused, not replaced, since offsets would no longer fit the sender's text.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { wrongType } from './faults.js'
import { complain, Refusal } from './refusal.js'

/** Bodies of the largest size that may be on their way at once, if they are that large. */
const BODIES = 64

export function readBodies(app: FastifyInstance, bodyLimit: number): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit },
    async (_: FastifyRequest, body: Buffer) => parseBody(body),
  )
  app.addHook('onRequest', checkedHeaders)
  app.addHook('onRequest', intake(bodyLimit))
}

/** What JSON in UTF-8 says. Throws a Refusal for anything else. */
export function parseBody(body: Uint8Array): unknown {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    throw complain({ found: 'bytes that are not UTF-8', expected: 'JSON in UTF-8' })
  }
  if (text.trim() === '') throw complain({ found: 'no body', expected: 'JSON' })
  try {
    // a key __proto__ is a field like any other here, and refused with them
    return JSON.parse(text)
  } catch (error) {
    // V8 names the place of some faults
    const place = /position (\d+)/.exec((error as Error).message)?.[1]
    const found =
      place === undefined ? 'text that is no JSON' : `no JSON at character ${place} of ${text.length}`
    throw complain({ found, expected: 'JSON' })
  }
}

async function checkedHeaders({ headers, method }: FastifyRequest): Promise<void> {
  if (method !== 'POST') return
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity')
    throw wrongType(`Content-Encoding ${encoding.slice(0, 40)}`)
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(headers['content-type'] ?? '')?.[1]
  if (charset !== undefined && !/^utf-?8$/i.test(charset)) throw wrongType(`charset ${charset.slice(0, 40)}`)
}

/** Counts bytes of bodies that are on their way or in work, as far as heads tell. */
function intake(bodyLimit: number) {
  const most = BODIES * bodyLimit
  let taken = 0
  return async ({ method, headers }: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (method !== 'POST') return
    const told = Number(headers['content-length'] ?? bodyLimit)
    const bytes = Math.min(Number.isFinite(told) ? told : bodyLimit, bodyLimit)
    if (taken + bytes > most)
      throw new Refusal(
        429,
        'queue_full',
        `found ${taken} bytes of bodies in work, expected at most ${most}`,
        {
          retryAfter: 1,
        },
      )
    taken += bytes
    reply.raw.once('close', () => {
      taken -= bytes
    })
  }
}

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
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit }, (request, body, done) => {
    let text: string
    try {
      text = new TextDecoder('utf-8', { fatal: true }).decode(body as Buffer)
    } catch {
      done(complain({ found: 'bytes that are not UTF-8', expected: 'JSON in UTF-8' }))
      return
    }
    const refused = (error: Error) => done(notJson(text, error))
    if (text.trim() === '') done(complain({ found: 'no body', expected: 'JSON' }))
    else parse(request, text, (error, value) => (error ? refused(error) : done(null, value)))
  })
  app.addHook('onRequest', checkedHeaders)
  app.addHook('onRequest', intake(bodyLimit))
}

function notJson(text: string, error: Error): Refusal {
  // V8 names the place, and secure-json-parse a key that would change what objects inherit
  const place = /position (\d+)/.exec(error.message)?.[1]
  if (/forbidden/.test(error.message))
    return complain({ found: 'a key __proto__ or constructor.prototype', expected: 'no such key' })
  const found =
    place === undefined
      ? 'JSON that ends early or is none'
      : `no JSON at character ${place} of ${text.length}`
  return complain({ found, expected: 'JSON' })
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

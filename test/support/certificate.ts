/** A certificate for servers of tests, made by openssl where that is installed. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from './temporary.js'

export interface Certificate {
  readonly key: string
  readonly cert: string
  /** Where `cert` lies, for NODE_EXTRA_CA_CERTS. */
  readonly file: string
}

export const noCertificate = 'openssl, which makes a certificate for the test, is not installed'

/** Of a host that is this machine by its number, and of those named. */
export function certificate(...hosts: string[]): Certificate | undefined {
  const folder = temporaryFolder()
  const [key, file] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const algorithm = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const names = ['IP:127.0.0.1', ...hosts.map((host) => `DNS:${host}`)].join(',')
  const subject = ['-subj', '/CN=localhost', '-addext', `subjectAltName=${names}`]
  const argv = ['req', '-x509', ...algorithm, '-keyout', key, '-out', file, '-days', '2', ...subject]
  if (spawnSync('openssl', argv).status !== 0) return undefined
  return { key: readFileSync(key, 'utf8'), cert: readFileSync(file, 'utf8'), file }
}

/** Profiles that lay in the folders: the table of kernels, and drawings as images, in which nothing can run. */
import { Buffer } from 'node:buffer'
import { html, shorten } from '../html.js'
import type { Picture, Profile } from '../model.js'
import { MISSING, short } from '../numbers.js'
import { facts, table } from '../table.js'
import type { Section } from './section.js'

export function profilesSection(
  profiles: readonly Profile[],
  pictures: readonly Picture[],
): Section | undefined {
  if (profiles.length + pictures.length === 0) return undefined
  const number = (value: number | null) => (value === null ? MISSING : short(value))
  const tables = profiles.map(
    (profile) => html`<h3>${profile.name}</h3>
${facts(profile.facts)}${table({
  caption: 'Kernels of a step, by time',
  columns: [
    { title: 'kernel' },
    ...['calls', 'ms', 'share', 'GFLOP/s', 'GB/s', 'of peak'].map((title) => ({ title, numeric: true })),
    { title: 'bound by' },
  ],
  groups: [
    {
      rows: profile.kernels.map((kernel) => [
        html`<code>${shorten(kernel.name, 160)}</code>`,
        short(Number(kernel.calls.toFixed(1))),
        kernel.ms.toFixed(3),
        `${kernel.share.toFixed(1)} %`,
        number(kernel.gflops),
        number(kernel.gbps),
        kernel.percentOfPeak === null ? MISSING : `${kernel.percentOfPeak.toFixed(0)} %`,
        kernel.roof ?? '',
      ]),
    },
  ],
})}`,
  )
  const images = pictures.map(
    ({ name, svg }) => html`<figure><figcaption>${name}</figcaption>
<img alt="${name}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}"></figure>\n`,
  )
  return { id: 'profiles', title: 'Profiles', body: html`${tables}${images}` }
}

/** What stands at /: what this is, and how it is asked. Plain text, so that nothing of a model's labels can be markup. */
import { printable } from '../tasks/shared/printable.js'
import type { Task, TaskContext } from '../tasks/task.js'
import { type InputForm, MAX_INPUTS } from './inputs.js'

export function page(
  { name, summary }: Pick<Task, 'name' | 'summary'>,
  { labels }: Pick<TaskContext, 'labels'>,
  { example, list, fields }: InputForm,
  host: string,
): string {
  const where = /^[\w.:[\]-]+$/.test(host) ? host : 'HOST'
  return printable(`bioalbert: a model for ${name} (${summary})
labels: ${labels.join(', ')}

POST /v1/predict     ${fields.join(' and ')}, or up to ${MAX_INPUTS} of these under ${list}; answers as JSON
GET  /openapi.json   all of this for programs
GET  /health         whether the process lives
GET  /ready          whether requests are taken
GET  /metrics        figures for Prometheus

curl http://${where}/v1/predict -H 'content-type: application/json' \\
  -d '${JSON.stringify(example)}'
`)
}

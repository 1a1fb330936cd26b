/** What `npm start` left on the machine of this server, if anything: a model, labelled sentences, abstracts. Read from it alone. */

export interface Demo {
  /** Names of the files of its model. */
  readonly model?: readonly string[]
  readonly train?: string
  readonly dev?: string
  /** Abstracts to learn to write from. */
  readonly text?: string
  /** Sentences to annotate. */
  readonly example?: string
}

export async function findDemo(): Promise<Demo> {
  const answer = await fetch('demo.json')
  return answer.ok ? ((await answer.json()) as Demo) : {}
}

export async function demoFile(path: string): Promise<File> {
  const answer = await fetch(`demo/${path}`)
  if (!answer.ok) throw new Error(`${path}: the server answered ${answer.status}`)
  return new File([await answer.blob()], path.split('/').at(-1) ?? path)
}

/** `web`: serves the page that annotates and trains in a browser, until Ctrl-C. What `npm run web` runs. */
import { join } from 'node:path'
import { Command } from 'commander'
import { packageRoot } from '../../paths.js'
import { openWeb } from '../../web/server.js'
import { addShared, integerWithin } from '../options.js'
import { note, printResult } from '../output.js'

interface Options {
  port: number
  demo: string
  json?: boolean
  quiet?: boolean
}

export function webCommand(): Command {
  const command = new Command('web')
    .description(
      'Serves a page that annotates text, fine-tunes models and trains a small one. The browser computes all of it, by ' +
        'WebGPU; what is given to the page stays in it. Listens on the loopback address alone.',
    )
    .option('--port <n>', '0: any that is free', integerWithin(0, 65535), 8081)
    .option(
      '--demo <folder>',
      'folder of the demo, whose model and data the page offers where they are there',
      join('runs', 'demo'),
    )
  return addShared(command, 'json', 'quiet').action(async ({ port, demo, json, quiet }: Options) => {
    const server = await openWeb({ port, demo, page: join(packageRoot, 'dist', 'web') })
    printResult(json, { url: server.url }, server.url)
    note('Ctrl-C ends it', quiet)
    await new Promise<void>((resolve) => {
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
    })
    await server.close()
  })
}

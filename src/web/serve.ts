/** What `npm run web` runs (Node): serves the built page until Ctrl-C, and prints its address. */
import { join } from 'node:path'
import { Command } from 'commander'
import { integerWithin } from '../cli/options.js'
import { UserError } from '../error.js'
import { packageRoot } from '../paths.js'
import { openWeb } from './server.js'

const command = new Command('npm run web --')
  .description(
    'Serves the page that annotates, fine-tunes and trains in the browser, on the loopback address.',
  )
  .option('--port <n>', '0: any that is free', integerWithin(0, 65535), 8081)
  .option('--demo <folder>', 'where npm start worked', join('runs', 'demo'))
  .action(async ({ port, demo }: { port: number; demo: string }) => {
    const server = await openWeb({ port, demo, page: join(packageRoot, 'dist', 'web') })
    process.stdout.write(`${server.url}\n`)
    process.stderr.write('Ctrl-C ends it\n')
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close())
  })

try {
  await command.parseAsync()
} catch (error) {
  if (!(error instanceof UserError)) throw error
  process.stderr.write(`bioalbert: ${error.message}\n`)
  process.exitCode = error.exitCode
}

/**
 * Runs a command whose WebGPU adapter is SwiftShader: `npm run with-swiftshader -- npx bioalbert devices`. Ends as the command
 * ends; signals go to it. Status 2 without a command, 1 where the package that carries SwiftShader is not installed.
 */
import { spawn } from 'node:child_process'
import { endAs } from './support/end_as.js'
import { swiftshaderEnvironment } from './support/swiftshader_driver.js'

const [command, ...argv] = process.argv.slice(2)
const environment = swiftshaderEnvironment()
if (command === undefined) {
  console.error(
    'with-swiftshader: found no command, expected npm run with-swiftshader -- COMMAND [ARGUMENT ...]',
  )
  process.exitCode = 2
} else if (environment === undefined) {
  console.error(
    'with-swiftshader: the npm package @sparticuz/chromium, which carries SwiftShader, is not installed (npm ci)',
  )
  process.exitCode = 1
} else {
  await endAs(spawn(command, argv, { stdio: 'inherit', env: { ...process.env, ...environment } }))
}

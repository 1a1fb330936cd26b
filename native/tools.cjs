/** What a build from source wants of the system: native/install.mjs and the error for an addon that is not there name what is missing. */
const { spawnSync } = require('node:child_process')

function runs(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0
}

/** What is missing for a build, by name. On Windows Visual Studio brings the compiler and what runs it. */
function missingTools() {
  const isWindows = process.platform === 'win32'
  const compilers = process.env.CXX ? [process.env.CXX.split(' ')[0]] : ['c++', 'g++', 'clang++']
  return [
    ...(isWindows || compilers.some(runs) ? [] : [`a C++17 compiler (${compilers.join(', ')})`]),
    ...(runs('cmake') ? [] : ['CMake']),
    ...(isWindows || ['ninja', 'make', 'gmake'].some(runs) ? [] : ['Ninja or Make']),
  ]
}

module.exports = { missingTools }

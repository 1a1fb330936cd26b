/** The package in Node: what is there everywhere, all devices, and parameters in files. */

export { openDevice } from './device/open.js'
export * from './exports.js'
export { loadParameters, saveParameters } from './model/parameters_node.js'

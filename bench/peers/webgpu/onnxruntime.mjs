/**
 * ONNX Runtime Web with its WebGPU execution provider: a graph of one node for each case, operands and results in buffers of the GPU.
 * It does not train, so of what has a backward pass it takes the forward one alone, and gradients of products as products.
 */
import * as ort from 'onnxruntime-web/webgpu'
import protobuf from 'protobufjs'

export async function open(resources) {
  ort.env.wasm.numThreads = 1
  ort.env.wasm.wasmPaths = resources
  ort.env.logLevel = 'error'
  const device = await openDevice()
  return {
    description: { peer: 'ONNX Runtime Web', version: ort.env.versions.web, backend: 'webgpu' },
    kinds: {
      product: (request) => product(device, request),
      attention: (request) => attention(device, request),
      layernorm: (request) => layernorm(device, request),
      dropout_add_layernorm: (request) => addLayernorm(device, request),
    },
    sync: () => device.queue.onSubmittedWorkDone(),
  }
}

/** Lanes of a subgroup that its attention cannot do without. */
const LANES = 8
const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
]

/**
 * A device with what its own would have, save subgroups that are too narrow. MultiHeadAttention of 1.30.0 passes keys between lanes 0
 * to 7 of a subgroup at least; on an adapter of 4 lanes (SwiftShader) it is wrong (off by 0.22 from a loop in float64 with q, k, v
 * [2,128,256], uniform, 4 heads), while its kernel without subgroups, and its own WebAssembly, are right (4e-7).
 */
async function openDevice() {
  const adapter = await navigator.gpu.requestAdapter()
  const wide = (adapter.info.subgroupMinSize ?? 0) >= LANES
  const wanted = ['shader-f16', 'timestamp-query', ...(wide ? ['subgroups'] : [])]
  return adapter.requestDevice({
    requiredFeatures: wanted.filter((feature) => adapter.features.has(feature)),
    requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
  })
}

const { root } = protobuf.parse(`
syntax = "proto3";
message Dimension { int64 dim_value = 1; }
message Shape { repeated Dimension dim = 1; }
message TensorType { int32 elem_type = 1; Shape shape = 2; }
message Type { TensorType tensor_type = 1; }
message ValueInfo { string name = 1; Type type = 2; }
message Attribute { string name = 1; float f = 2; int64 i = 3; int32 type = 20; }
message Node {
  repeated string input = 1; repeated string output = 2; string op_type = 4; repeated Attribute attribute = 5; string domain = 7;
}
message Graph { repeated Node node = 1; string name = 2; repeated ValueInfo input = 11; repeated ValueInfo output = 12; }
message OperatorSet { string domain = 1; int64 version = 2; }
message Model { int64 ir_version = 1; Graph graph = 7; repeated OperatorSet opset_import = 8; }`)
const Model = root.lookupType('Model')

const value = (name, shape) => ({
  name,
  type: { tensorType: { elemType: 1, shape: { dim: shape.map((n) => ({ dimValue: n })) } } },
})

function node(opType, input, output, attributes = {}, domain = '') {
  const attribute = Object.entries(attributes).map(([name, v]) =>
    Number.isInteger(v) ? { name, i: v, type: 2 } : { name, f: v, type: 1 },
  )
  return { opType, input, output, attribute, domain }
}

function encode(nodes, input, output) {
  const opsetImport = [
    { domain: '', version: 17 },
    { domain: 'com.microsoft', version: 1 },
  ]
  return Model.encode(
    Model.fromObject({ irVersion: 8, opsetImport, graph: { name: 'case', node: nodes, input, output } }),
  ).finish()
}

/** A graph of one node with a result y. */
async function single(device, operands, opType, attributes, shape, domain) {
  const names = Object.keys(operands)
  const model = encode(
    [node(opType, names, ['y'], attributes, domain)],
    names.map((name) => value(name, operands[name].shape)),
    [value('y', shape)],
  )
  const session = await ort.InferenceSession.create(model, {
    executionProviders: [{ name: 'webgpu', device }],
    preferredOutputLocation: 'gpu-buffer',
  })
  const buffers = []
  const feeds = {}
  for (const [name, { data, shape: dims }] of Object.entries(operands)) {
    // storage, copied to and from
    const buffer = device.createBuffer({
      size: Math.ceil(data.byteLength / 16) * 16,
      usage: 0x80 | 0x8 | 0x4,
    })
    device.queue.writeBuffer(buffer, 0, data)
    buffers.push(buffer)
    feeds[name] = ort.Tensor.fromGpuBuffer(buffer, { dataType: 'float32', dims: [...dims] })
  }
  return {
    async first() {
      const { y } = await session.run(feeds)
      return { y: await y.getData(true) }
    },
    async run() {
      const { y } = await session.run(feeds)
      y.dispose()
    },
    async free() {
      await session.release()
      for (const buffer of buffers) buffer.destroy()
    },
  }
}

function product(device, { sizes: { transposeA, transposeB }, operands }) {
  const rows = operands.a.shape[transposeA ? 1 : 0]
  const columns = operands.b.shape[transposeB ? 0 : 1]
  const attributes = { transA: transposeA, transB: transposeB }
  return single(device, operands, 'Gemm', attributes, [rows, columns])
}

const MISSING = { missing: 'it does not train' }

function attention(device, { sizes: { B, S, A, D, backward }, operands: { q, k, v } }) {
  if (backward) return MISSING
  const flat = ({ data }) => ({ data, shape: [B, S, A * D] })
  const operands = { q: flat(q), k: flat(k), v: flat(v) }
  return single(device, operands, 'MultiHeadAttention', { num_heads: A }, [B, S, A * D], 'com.microsoft')
}

function layernorm(device, { sizes: { eps, backward }, operands: { x, weight, bias } }) {
  if (backward) return MISSING
  return single(device, { x, weight, bias }, 'LayerNormalization', { axis: -1, epsilon: eps }, x.shape)
}

function addLayernorm(device, { sizes: { eps, p, backward }, operands: { x, residual, weight, bias } }) {
  if (backward || p > 0) return MISSING
  const operands = { x, residual, weight, bias }
  return single(device, operands, 'SkipLayerNormalization', { epsilon: eps }, x.shape, 'com.microsoft')
}

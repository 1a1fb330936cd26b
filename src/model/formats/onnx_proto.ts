/**
 * The messages of an ONNX file that a model without control flow needs, and the bytes of one. Field numbers and types are those
 * of onnx/onnx.proto3 (github.com/onnx/onnx, IR version 10); what is not declared here is never written.
 *
 * Weights make nearly all of a file, so they are no field of a message in memory: `layOut` gives the file as parts, in which
 * the bytes of a tensor are asked for when their turn comes. Protocol buffers allow it: a message is its fields one
 * after the other, and only lengths must be known in advance.
 */
import protobuf from 'protobufjs'

const SCHEMA = `
syntax = "proto3";
message Entry { string key = 1; string value = 2; }
message OperatorSet { string domain = 1; int64 version = 2; }
message Dimension { oneof value { int64 dim_value = 1; string dim_param = 2; } }
message Shape { repeated Dimension dim = 1; }
message TensorType { int32 elem_type = 1; Shape shape = 2; }
message Type { oneof value { TensorType tensor_type = 1; } }
message ValueInfo { string name = 1; Type type = 2; }
message Attribute {
  string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated int64 ints = 8; int32 type = 20;
}
message Node {
  repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4;
  repeated Attribute attribute = 5;
}
message Tensor {
  repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9;
  repeated Entry external_data = 13; int32 data_location = 14;
}
message Graph {
  repeated Node node = 1; string name = 2; repeated Tensor initializer = 5; repeated ValueInfo input = 11;
  repeated ValueInfo output = 12;
}
message Model {
  int64 ir_version = 1; string producer_name = 2; Graph graph = 7; repeated OperatorSet opset_import = 8;
  repeated Entry metadata_props = 14;
}`

/** TensorProto.DataType. */
export const DATA_TYPE = { float: 1, int64: 7 } as const
export type DataType = keyof typeof DATA_TYPE

/** AttributeProto.AttributeType. */
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, ints: 7 } as const
/** TensorProto.DataLocation. */
const EXTERNAL = 1
/** Length-delimited, in the low three bits of a tag. */
const LENGTH_DELIMITED = 2

/** The largest file: parsers count its bytes in a signed 32-bit integer. */
export const LARGEST_FILE = 2 ** 31 - 1
/** External tensors begin at multiples of it, so that they can be mapped into memory. */
export const EXTERNAL_ALIGNMENT = 4096
/** Tensors of fewer bytes stay in the file even where others are external: shape inference reads them. */
const SMALL = 1024

/** Numbers are floats only where they are said to be, since 1 is an integer as well. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number }

export interface OnnxNode {
  readonly op: string
  readonly name: string
  readonly inputs: readonly string[]
  readonly output: string
  readonly attributes: Readonly<Record<string, AttributeValue>>
}

/** A size that is known, or the name of one that is not. */
export type OnnxDim = number | string

export interface OnnxValue {
  readonly name: string
  readonly type: DataType
  readonly dims: readonly OnnxDim[]
}

export interface OnnxTensor {
  readonly name: string
  readonly type: DataType
  readonly dims: readonly number[]
  readonly bytes: number
  /** The values, row-major and little-endian, in pieces of `bytes` in all. */
  content(): Iterable<Uint8Array>
}

export interface OnnxModel {
  readonly opset: number
  readonly graphName: string
  readonly nodes: readonly OnnxNode[]
  readonly tensors: readonly OnnxTensor[]
  readonly inputs: readonly OnnxValue[]
  readonly outputs: readonly OnnxValue[]
  readonly metadata: Readonly<Record<string, string>>
}

/** A file, or what the bytes of a tensor lie in, as parts in order. */
export interface Layout {
  readonly bytes: number
  readonly parts: readonly (Uint8Array | OnnxTensor)[]
}

/** The IR version that came with an operator set. */
export function irVersion(opset: number): number {
  if (opset >= 21) return 10
  return opset >= 19 ? 9 : 8
}

let messages: protobuf.Root | undefined

function encode(type: string, message: Record<string, unknown>): Uint8Array {
  messages ??= protobuf.parse(SCHEMA).root
  return messages.lookupType(type).encode(message).finish()
}

/** What stands in front of a field of `bytes` bytes: its tag and its length. */
function fieldHead(type: string, field: string, bytes: number): Uint8Array {
  messages ??= protobuf.parse(SCHEMA).root
  const { id } = messages.lookupType(type).fields[field]
  return protobuf.Writer.create()
    .uint32((id << 3) | LENGTH_DELIMITED)
    .uint32(bytes)
    .finish()
}

/** The file of a model with its weights in it; of more bytes than LARGEST_FILE no one can read it. */
export function layOut(model: OnnxModel): Layout {
  return assemble(model, model.tensors.map(inFile))
}

/** The same with all but small tensors in a second file, that the first calls `location`. */
export function layOutExternal(model: OnnxModel, location: string): { model: Layout; data: Layout } {
  const data: (Uint8Array | OnnxTensor)[] = []
  let end = 0
  const place = (tensor: OnnxTensor): number => {
    const gap = (EXTERNAL_ALIGNMENT - (end % EXTERNAL_ALIGNMENT)) % EXTERNAL_ALIGNMENT
    if (gap > 0) data.push(new Uint8Array(gap))
    data.push(tensor)
    const offset = end + gap
    end = offset + tensor.bytes
    return offset
  }
  const tensors = model.tensors.map((tensor) =>
    tensor.bytes < SMALL
      ? inFile(tensor)
      : [describe(tensor, { location, offset: `${place(tensor)}`, length: `${tensor.bytes}` })],
  )
  return { model: assemble(model, tensors), data: { bytes: end, parts: data } }
}

function inFile(tensor: OnnxTensor): Layout['parts'] {
  return [describe(tensor), fieldHead('Tensor', 'rawData', tensor.bytes), tensor]
}

/** A tensor without its values; `external` says where they are if not behind it. */
function describe({ name, type, dims }: OnnxTensor, external?: Record<string, string>): Uint8Array {
  return encode('Tensor', {
    dims,
    dataType: DATA_TYPE[type],
    name,
    ...(external && { externalData: entries(external), dataLocation: EXTERNAL }),
  })
}

/** The file around tensors that are given as the parts of their messages. */
function assemble(model: OnnxModel, tensors: readonly Layout['parts'][]): Layout {
  const { opset, graphName, nodes, inputs, outputs, metadata } = model
  const graph: (Uint8Array | OnnxTensor)[] = [
    encode('Graph', {
      name: graphName,
      node: nodes.map(nodeMessage),
      input: inputs.map(valueMessage),
      output: outputs.map(valueMessage),
    }),
  ]
  for (const parts of tensors) graph.push(fieldHead('Graph', 'initializer', sizeOf(parts)), ...parts)
  const head = encode('Model', {
    irVersion: irVersion(opset),
    producerName: 'bioalbert',
    opsetImport: [{ domain: '', version: opset }],
    metadataProps: entries(metadata),
  })
  const bytes = sizeOf(graph)
  const parts = [head, fieldHead('Model', 'graph', bytes), ...graph]
  return { bytes: sizeOf(parts), parts }
}

function sizeOf(parts: Layout['parts']): number {
  return parts.reduce((n, part) => n + (part instanceof Uint8Array ? part.length : part.bytes), 0)
}

function entries(record: Readonly<Record<string, string>>): { key: string; value: string }[] {
  return Object.entries(record).map(([key, value]) => ({ key, value }))
}

function nodeMessage({ op, name, inputs, output, attributes }: OnnxNode): Record<string, unknown> {
  const attribute = Object.entries(attributes).map(([key, value]) => attributeMessage(key, value))
  return { input: inputs, output: [output], name, opType: op, attribute }
}

function attributeMessage(name: string, value: AttributeValue): Record<string, unknown> {
  if (typeof value === 'number') return { name, i: value, type: ATTRIBUTE_TYPE.int }
  if (typeof value === 'string')
    return { name, s: new TextEncoder().encode(value), type: ATTRIBUTE_TYPE.string }
  if ('float' in value) return { name, f: value.float, type: ATTRIBUTE_TYPE.float }
  return { name, ints: value, type: ATTRIBUTE_TYPE.ints }
}

function valueMessage({ name, type, dims }: OnnxValue): Record<string, unknown> {
  const dim = dims.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }))
  return { name, type: { tensorType: { elemType: DATA_TYPE[type], shape: { dim } } } }
}

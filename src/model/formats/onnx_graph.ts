/**
 * An ONNX graph under construction. `node` appends an operator and returns the name of its result; constants and weights are
 * tensors of the graph, each once whatever the number of its uses. Names are paths: what is built inside `within('layer.0')`
 * is called `/layer.0/...`.
 */
import type {
  AttributeValue,
  DataType,
  OnnxDim,
  OnnxModel,
  OnnxNode,
  OnnxTensor,
  OnnxValue,
} from './onnx_proto.js'

/** A tensor of the model's parameters. */
export interface Weight {
  readonly name: string
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** What `content` of a transposed matrix holds at a time. */
const PIECE_BYTES = 1 << 22

export class OnnxGraph {
  private readonly nodes: OnnxNode[] = []
  private readonly tensors = new Map<string, OnnxTensor>()
  private readonly inputs: OnnxValue[] = []
  private readonly outputs: OnnxValue[] = []
  private readonly used = new Map<string, number>()
  private path = ''

  constructor(readonly opset: number) {}

  input(name: string, type: DataType, dims: readonly OnnxDim[]): string {
    this.inputs.push({ name, type, dims })
    return name
  }

  /** Declares a result that is called `name`, as given to `node`. */
  output(name: string, dims: readonly OnnxDim[]): void {
    this.outputs.push({ name, type: 'float', dims })
  }

  within<T>(name: string, build: () => T): T {
    const outer = this.path
    this.path = `${outer}/${name}`
    try {
      return build()
    } finally {
      this.path = outer
    }
  }

  /** Appends an operator of one result, which is called `result` or after the node. */
  node(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, AttributeValue>> = {},
    result?: string,
  ): string {
    const wanted = `${this.path}/${op}`
    const before = this.used.get(wanted) ?? 0
    this.used.set(wanted, before + 1)
    const name = before === 0 ? wanted : `${wanted}_${before}`
    const output = result ?? `${name}_output`
    this.nodes.push({ op, name, inputs, output, attributes })
    return output
  }

  /** A float constant without dimensions. */
  scalar(value: number): string {
    return this.constant(`constant_${value}`, 'float', [], Float32Array.of(value))
  }

  /** An integer constant: without dimensions, or of one. */
  integers(value: number | readonly number[]): string {
    const list = [value].flat()
    const name = typeof value === 'number' ? `integer_${value}` : `integers_${list.join('_')}`
    const dims = typeof value === 'number' ? [] : [list.length]
    return this.constant(name, 'int64', dims, BigInt64Array.from(list, BigInt))
  }

  weight({ name, shape, data }: Weight): string {
    return this.constant(name, 'float', shape, data)
  }

  /** A matrix [out,in] as [in,out], which is how MatMul wants it: it is turned when it is written. */
  transposed({ name, shape, data }: Weight): string {
    const [rows, columns] = shape
    return this.tensor({
      name: `${name}.transposed`,
      type: 'float',
      dims: [columns, rows],
      bytes: data.byteLength,
      content: () => transposedPieces(data, rows, columns),
    })
  }

  finish(graphName: string, metadata: Readonly<Record<string, string>>): OnnxModel {
    const { opset, nodes, inputs, outputs } = this
    return { opset, graphName, nodes, tensors: [...this.tensors.values()], inputs, outputs, metadata }
  }

  private constant(
    name: string,
    type: DataType,
    dims: readonly number[],
    data: Float32Array | BigInt64Array,
  ): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    return this.tensor({ name, type, dims, bytes: bytes.length, content: () => [bytes] })
  }

  private tensor(tensor: OnnxTensor): string {
    if (!this.tensors.has(tensor.name)) this.tensors.set(tensor.name, tensor)
    return tensor.name
  }
}

/** [rows,columns] turned, some of its new rows at a time. */
function* transposedPieces(data: Float32Array, rows: number, columns: number): Generator<Uint8Array> {
  const most = Math.max(1, Math.floor(PIECE_BYTES / (4 * rows)))
  for (let from = 0; from < columns; from += most) {
    const count = Math.min(most, columns - from)
    const piece = new Float32Array(count * rows)
    for (let row = 0; row < rows; row++)
      for (let i = 0; i < count; i++) piece[i * rows + row] = data[row * columns + from + i]
    yield new Uint8Array(piece.buffer)
  }
}

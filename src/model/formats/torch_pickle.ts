/**
 * What a pickle of torch.save may name: the functions that put tensors together, the types of storages, and OrderedDict.
 * Each becomes a plain description here; anything else is refused by pickle.ts, by its name. Names are those that PyTorch has
 * had from 0.4 on, on any device.
 */
import { Known, type PickleRules, type PickleValue, printable, Unfit } from './pickle.js'
import type { ElementType } from './weights_file.js'

/** A storage, or a part of one, as a pickle names it. */
export interface StorageReference {
  readonly key: string
  readonly dtype: ElementType
  /** Elements of the storage, whole. */
  readonly count: number
  /** Where the part begins, in elements. */
  readonly offset: number
}

/** The storage of a persistent id, until a tensor takes it. */
class Storage extends Known {
  constructor(readonly reference: StorageReference) {
    super('a storage')
  }
}

/** A tensor as a pickle describes it: strides and offset count elements. */
export class TorchTensor extends Known {
  constructor(
    readonly storage: StorageReference,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
    readonly dtype: ElementType,
  ) {
    super('a tensor')
  }
}

/** A type of storage or of elements. */
class ElementKind extends Known {
  constructor(
    name: string,
    readonly dtype: ElementType,
  ) {
    super(name)
  }
}

/** What PyTorch calls a type of elements, and the storages of it. */
const ELEMENTS: readonly [dtype: string, storage: string, type: ElementType][] = [
  ['float32', 'Float', 'F32'],
  ['float16', 'Half', 'F16'],
  ['bfloat16', 'BFloat16', 'BF16'],
  ['float64', 'Double', 'F64'],
  ['int64', 'Long', 'I64'],
  ['int32', 'Int', 'I32'],
  ['int16', 'Short', 'I16'],
  ['int8', 'Char', 'I8'],
  ['uint8', 'Byte', 'U8'],
  ['bool', 'Bool', 'BOOL'],
]
const MOST_DIMENSIONS = 64
const LARGEST = 2 ** 52

/** The rules of one file; `storages` are those that its tensors have named. */
export class TorchPickle implements PickleRules {
  readonly expected = 'a state dict of torch.save, which holds tensors and runs nothing'
  readonly storages = new Map<string, StorageReference>()

  known(name: string): Known | undefined {
    return KNOWN.get(name)
  }

  /** ('storage', type, key, location, elements), of the legacy form with a sixth part: None or (key of the part, offset, elements). */
  persistent(id: PickleValue): PickleValue {
    if (!Array.isArray(id) || id[0] !== 'storage' || id.length < 5)
      throw new Unfit('a persistent id that is no storage')
    const [, type, key, , count, part] = id
    if (!(type instanceof ElementKind)) throw new Unfit('a storage of no known type')
    if (typeof key !== 'string') throw new Unfit('a storage whose key is no text')
    if (key.length > 200 || !/^[\w.-]+$/.test(key)) throw new Unfit(`a storage with key '${printable(key)}'`)
    let offset = 0
    if (part !== null && part !== undefined) {
      if (!Array.isArray(part)) throw new Unfit('a part of a storage that is no tuple')
      offset = natural(part[1], 'offset of a part')
    }
    const reference = { key, dtype: type.dtype, count: natural(count, 'number of elements'), offset }
    const before = this.storages.get(key)
    if (!before) this.storages.set(key, reference)
    return new Storage(reference)
  }
}

function natural(value: PickleValue | undefined, what: string): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= LARGEST) return value
  throw new Unfit(`a ${what} that is no whole number from 0`)
}

function naturals(value: PickleValue | undefined, what: string): number[] {
  if (!Array.isArray(value) || value.length > MOST_DIMENSIONS)
    throw new Unfit(`a ${what} that is no tuple of at most ${MOST_DIMENSIONS}`)
  return value.map((n) => natural(n, what))
}

function tensor(args: readonly PickleValue[], dtype?: ElementType): TorchTensor {
  const [storage, offset, size, stride] = args
  if (!(storage instanceof Storage)) throw new Unfit('no storage')
  const shape = naturals(size, 'shape')
  const strides = naturals(stride, 'stride')
  if (shape.length !== strides.length) throw new Unfit(`${shape.length} sizes and ${strides.length} strides`)
  if (shape.reduce((a, b) => a * b, 1) > LARGEST) throw new Unfit(`a shape [${shape}]`)
  const { reference } = storage
  return new TorchTensor(
    reference,
    natural(offset, 'storage offset'),
    shape,
    strides,
    dtype ?? reference.dtype,
  )
}

/** A parameter is its tensor. */
function parameter([data]: readonly PickleValue[]): TorchTensor {
  if (data instanceof TorchTensor) return data
  throw new Unfit('no tensor')
}

function orderedDict([pairs = []]: readonly PickleValue[]): PickleValue {
  if (!Array.isArray(pairs)) throw new Unfit('no list of pairs')
  const isPair = (pair: PickleValue): pair is [PickleValue, PickleValue] =>
    Array.isArray(pair) && pair.length === 2
  if (!pairs.every(isPair)) throw new Unfit('an item that is no pair')
  return new Map(pairs)
}

const FUNCTIONS: Readonly<Record<string, (args: PickleValue[]) => PickleValue>> = {
  'collections.OrderedDict': orderedDict,
  'torch._utils._rebuild_tensor': (args) => tensor(args),
  'torch._utils._rebuild_tensor_v2': (args) => tensor(args),
  'torch._utils._rebuild_tensor_v3': (args) => {
    const kind = args[6]
    if (!(kind instanceof ElementKind)) throw new Unfit('no type of elements')
    return tensor(args, kind.dtype)
  },
  'torch._utils._rebuild_parameter': parameter,
  'torch._utils._rebuild_parameter_with_state': parameter,
  // (function, type, arguments, attributes), of tensors that have attributes
  'torch._tensor._rebuild_from_type_v2': ([inner, , args]) => {
    if (!(inner instanceof Known) || inner.call === undefined || !Array.isArray(args))
      throw new Unfit('no function and its arguments')
    if (inner.name === 'torch._tensor._rebuild_from_type_v2') throw new Unfit('itself')
    return inner.call(args)
  },
  'torch.Size': ([sizes = []]) => {
    if (!Array.isArray(sizes)) throw new Unfit('no list')
    return sizes
  },
  'torch.device': ([kind = null]) => kind,
}

/** Types that are named and nothing is asked of. */
const TYPES = ['torch.Tensor', 'torch.nn.parameter.Parameter']

function known(): Map<string, Known> {
  const all = [
    ...Object.entries(FUNCTIONS).map(([name, call]) => new Known(name, call)),
    ...TYPES.map((name) => new Known(name)),
  ]
  for (const [dtype, storage, type] of ELEMENTS) {
    all.push(new ElementKind(`torch.${dtype}`, type))
    for (const module of ['torch', 'torch.cuda'])
      all.push(new ElementKind(`${module}.${storage}Storage`, type))
  }
  // bytes without a type, whose elements _rebuild_tensor_v3 names
  for (const name of ['UntypedStorage', '_UntypedStorage'])
    for (const module of ['torch', 'torch.storage']) all.push(new ElementKind(`${module}.${name}`, 'U8'))
  return new Map(all.map((one) => [one.name, one]))
}

const KNOWN = known()

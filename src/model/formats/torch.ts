/**
 * Files of torch.save, with a state dict or a dict that holds one: the zip form (PyTorch 1.6 on) and the one before it.
 *
 *   zip     NAME/data.pkl, a pickle whose tensors name storages; NAME/data/KEY, the bytes of each; NAME/byteorder
 *   legacy  pickles one after another: magic number, protocol 1001, facts of the machine, the object, the storages' keys;
 *           then of each storage the number of its elements (i64) and its bytes
 *
 * Nothing in a pickle is run (pickle.ts, torch_pickle.ts). Bytes of a tensor are read when they are asked for.
 */
import { InputError } from '../../error.js'
import type { ByteSource } from './byte_source.js'
import { fileSource } from './file_source.js'
import { type PickleValue, printable, unpickle } from './pickle.js'
import { PickleBytes } from './pickle_bytes.js'
import { type StorageReference, TorchPickle, TorchTensor } from './torch_pickle.js'
import { stridedReader } from './torch_strides.js'
import { ELEMENT_BYTES, LazyTensor, type StoredTensor, type WeightsFile } from './weights_file.js'
import { openZip } from './zip_source.js'

const EXPECTED = 'a state dict of torch.save'
const MAGIC = 0x1950a86a20f9469cfc6cn
const LEGACY_PROTOCOL = 1001
/** Under which training scripts keep the state dict beside other things. */
const INNER = ['state_dict', 'model_state_dict', 'model']

/** Reads a file of torch.save. Throws an InputError where it is damaged, or wants more than tensors. */
export function readTorch(path: string): WeightsFile {
  return parseTorch(fileSource(path, EXPECTED))
}

/** As `readTorch`, of bytes wherever they are. */
export function parseTorch(source: ByteSource): WeightsFile {
  const { path, size } = source
  const start = new Uint8Array(Math.min(size, 262))
  source.read(start, 0)
  const refuse = (found: string): never => {
    throw new InputError({ file: path, found, expected: EXPECTED })
  }
  if (start[0] === 0x50 && start[1] === 0x4b) return readZip(source)
  if (start[0] === 0x80) return readLegacy(source)
  if (Buffer.from(start.subarray(257)).toString('latin1') === 'ustar')
    return refuse('a tar archive of PyTorch 0.1, which no PyTorch writes any more')
  return refuse(size === 0 ? 'an empty file' : 'a file that is no zip archive and no pickle')
}

/** Where the bytes of a storage are. */
type Locate = (storage: StorageReference) => { source: ByteSource; position: number; bytes: number }

function readZip(source: ByteSource): WeightsFile {
  const { path } = source
  const refuse = (found: string): never => {
    throw new InputError({ file: path, found, expected: EXPECTED })
  }
  const files = openZip(source)
  const name = [...files.keys()].find((file) => /^[^/]+\/data\.pkl$/.test(file))
  if (name === undefined) return refuse('a zip archive without a data.pkl in a folder')
  const folder = name.slice(0, -'data.pkl'.length)
  const order = files.get(`${folder}byteorder`)
  if (order) {
    const text = Buffer.alloc(Math.min(order.size, 16))
    order.read(text, 0)
    if (text.toString('latin1').trim() !== 'little')
      return refuse(`byte order '${printable(text.toString('latin1'))}'`)
  }
  const pickle = new TorchPickle()
  const root = unpickle(new PickleBytes(files.get(name) as ByteSource), pickle)
  const locate: Locate = ({ key }) => {
    const file = files.get(`${folder}data/${key}`)
    if (!file) return refuse(`no entry '${printable(`${folder}data/${key}`)}', which a tensor lies in`)
    return { source: file, position: 0, bytes: file.size }
  }
  return weightsOf(path, root, locate)
}

function readLegacy(source: ByteSource): WeightsFile {
  const { path, size } = source
  const refuse = (found: string): never => {
    throw new InputError({ file: path, found, expected: EXPECTED })
  }
  const pickle = new TorchPickle()
  let position = 0
  const next = (): PickleValue => {
    const bytes = new PickleBytes(source, position)
    const value = unpickle(bytes, pickle)
    position = bytes.position
    return value
  }
  if (next() !== MAGIC) return refuse('a pickle that does not begin with the magic number of torch.save')
  const protocol = next()
  if (protocol !== LEGACY_PROTOCOL) return refuse(`protocol ${plain(protocol)} of torch.save`)
  const machine = next()
  if (!(machine instanceof Map) || machine.get('little_endian') !== true)
    return refuse('the file of a machine that is not little-endian')
  const root = next()
  const keys = next()
  if (!Array.isArray(keys)) return refuse('no list of the keys of storages')
  const places = new Map<string, { source: ByteSource; position: number; bytes: number }>()
  for (const key of keys) {
    const storage = typeof key === 'string' ? pickle.storages.get(key) : undefined
    if (!storage) return refuse(`storage ${plain(key)}, which no tensor lies in`)
    if (places.has(storage.key)) return refuse(`storage ${plain(key)} twice`)
    const bytes = elementsAt(source, position) * ELEMENT_BYTES[storage.dtype]
    if (bytes > size - position - 8)
      return refuse(`storage ${plain(key)} of ${bytes} bytes at byte ${position + 8} of ${size}`)
    places.set(storage.key, { source, position: position + 8, bytes })
    position += 8 + bytes
  }
  if (position !== size) return refuse(`${size - position} bytes after the last storage`)
  return weightsOf(path, root, ({ key }) => places.get(key) ?? refuse(`no storage '${printable(key)}'`))
}

function elementsAt(source: ByteSource, position: number): number {
  if (position + 8 > source.size) return Number.POSITIVE_INFINITY
  const bytes = new Uint8Array(8)
  source.read(bytes, position)
  return Number(new DataView(bytes.buffer).getBigUint64(0, true))
}

function weightsOf(path: string, root: PickleValue, locate: Locate): WeightsFile {
  const tensors = new Map<string, StoredTensor>()
  for (const [name, tensor] of tensorsIn(path, root)) {
    const { storage, offset, shape, strides, dtype } = tensor
    const place = locate(storage)
    const size = ELEMENT_BYTES[dtype]
    const origin = storage.offset * ELEMENT_BYTES[storage.dtype] + offset * size
    const needed = origin + extent(shape, strides) * size
    const held = Math.min(place.bytes, storage.count * ELEMENT_BYTES[storage.dtype])
    if (needed > held)
      throw new InputError({
        file: path,
        found: `tensor '${printable(name)}', ${dtype} [${shape}], up to byte ${needed} of storage '${printable(storage.key)}'`,
        expected: `a tensor within its ${held} bytes`,
      })
    const read = stridedReader(place.source, place.position + origin, shape, strides, size)
    tensors.set(name, new LazyTensor({ path, name, dtype, shape, read }))
  }
  return { path, files: [path], tensors, metadata: new Map() }
}

/** Elements from a tensor's first to its last. */
function extent(shape: readonly number[], strides: readonly number[]): number {
  if (shape.includes(0)) return 0
  return shape.reduce((last, n, i) => last + (n - 1) * strides[i], 1)
}

/** The tensors of a state dict by name; what else it holds, such as a number of steps, is no weight. */
function tensorsIn(path: string, root: PickleValue): [string, TorchTensor][] {
  const direct = entries(root)
  if (direct.length > 0) return direct
  if (root instanceof Map)
    for (const key of INNER) {
      const inner = entries(root.get(key) ?? null)
      if (inner.length > 0) return inner
    }
  throw new InputError({ file: path, found: `${plain(root)} without a tensor`, expected: EXPECTED })
}

function entries(value: PickleValue): [string, TorchTensor][] {
  if (!(value instanceof Map)) return []
  return [...value].filter(
    (entry): entry is [string, TorchTensor] =>
      typeof entry[0] === 'string' && entry[1] instanceof TorchTensor,
  )
}

/** A value in few words. */
function plain(value: PickleValue): string {
  if (value instanceof Map) return 'a dict'
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' && value !== null ? value.name : `'${printable(String(value))}'`
}

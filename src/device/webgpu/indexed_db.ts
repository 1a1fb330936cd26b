/**
 * Choices of WGSL variants kept in a page's IndexedDB, one object store of JSON values by key. What cannot be read or written (a
 * private window, storage that is full) is measured again.
 */
import type { ChoiceStore } from './choice.js'

/** What is used of IndexedDB: the project is not compiled against a page's types. */
interface Request<T> {
  readonly result: T
  readonly error: Error | null
  onsuccess: (() => void) | null
  onerror: (() => void) | null
  onupgradeneeded?: (() => void) | null
}

interface Database {
  createObjectStore(name: string): void
  close(): void
  transaction(
    name: string,
    mode: 'readonly' | 'readwrite',
  ): {
    objectStore(name: string): {
      get(key: string): Request<unknown>
      put(value: unknown, key: string): Request<unknown>
    }
  }
}

export interface IndexedDb {
  open(name: string, version: number): Request<Database>
}

const NAME = 'bioalbert webgpu'
const STORE = 'variants'

/** `database`: the page's or the worker's `indexedDB`. */
export function indexedDbStore(database: IndexedDb): ChoiceStore {
  const settled = <T>(request: Request<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result)
      request.onerror = () => reject(request.error)
    })
  /** Opens it for one request, so that it stands in no other page's way. */
  const within = async (mode: 'readonly' | 'readwrite', key: string, value?: unknown): Promise<unknown> => {
    const opening = database.open(NAME, 1)
    opening.onupgradeneeded = () => opening.result.createObjectStore(STORE)
    const opened = await settled(opening)
    try {
      const store = opened.transaction(STORE, mode).objectStore(STORE)
      return await settled(mode === 'readonly' ? store.get(key) : store.put(value, key))
    } finally {
      opened.close()
    }
  }
  return {
    recall: (key) => within('readonly', key).catch(() => undefined),
    keep: async (key, value) => {
      await within('readwrite', key, value).catch(() => undefined)
    },
  }
}

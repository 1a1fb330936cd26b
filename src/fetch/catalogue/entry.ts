/** What the catalogue says of one name: where it is to be had, or why it is not. */

/** A file at an address that never changes its content, such as one of a commit. */
export interface CataloguedFile {
  /** Below the folder of the entry. */
  readonly path: string
  readonly url: string
  /** Both or neither: known where the very file was at hand. */
  readonly size?: number
  readonly sha256?: string
}

export interface Named {
  readonly kind: 'model' | 'data set' | 'vocabulary' | 'corpus'
  readonly name: string
  readonly aliases: readonly string[]
  readonly licence: string
  readonly purpose: string
  /** A page about it. */
  readonly address?: string
  /** `OWNER/REPO` at the hub. */
  readonly repository?: string
  readonly files?: readonly CataloguedFile[]
  /** Bytes, where they are known. */
  readonly size?: number
  /** Why it cannot be fetched, and what to do. */
  readonly refusal?: string
  /** What a person should know of the files. */
  readonly note?: string
}

/** Files that people drop or choose, and bytes that they save. */

/** Files of a drop; of a folder those that lie in it directly, with `folder` its name. */
export interface Dropped {
  readonly files: readonly File[]
  readonly folder?: string
}

const readAll = async (directory: FileSystemDirectoryEntry): Promise<File[]> => {
  const reader = directory.createReader()
  const found: File[] = []
  for (;;) {
    // a call gives a hundred at most
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    )
    if (entries.length === 0) return found
    for (const entry of entries)
      if (entry.isFile)
        found.push(
          await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject)),
        )
  }
}

async function readDrop({ items, files }: DataTransfer): Promise<Dropped> {
  // entries and files must be asked for before the first wait, after which the list is empty
  const entries = [...items].map((item) => item.webkitGetAsEntry?.() ?? null)
  const all = [...files]
  const folder = entries.find((entry) => entry?.isDirectory)
  if (!folder) return { files: all }
  return { files: await readAll(folder as FileSystemDirectoryEntry), folder: folder.name }
}

/** Calls back for files that are dropped anywhere on the page; text that is dragged goes its usual way. */
export function onFilesDropped(take: (dropped: Dropped) => void): void {
  const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes('Files') ?? false
  let depth = 0
  const over = (by: number) => {
    depth = by === 0 ? 0 : Math.max(0, depth + by)
    document.body.classList.toggle('dropping', depth > 0)
  }
  addEventListener('dragenter', (event) => hasFiles(event) && over(1))
  addEventListener('dragleave', (event) => hasFiles(event) && over(-1))
  addEventListener('dragover', (event) => {
    if (hasFiles(event)) event.preventDefault()
  })
  addEventListener('drop', (event) => {
    over(0)
    if (!hasFiles(event) || event.dataTransfer === null) return
    event.preventDefault()
    void readDrop(event.dataTransfer).then(take)
  })
}

/** A button that opens the browser's dialogue of an input, which itself is not shown. */
export function chooser(button: HTMLElement, input: HTMLInputElement, take: (files: File[]) => void): void {
  button.addEventListener('click', () => input.click())
  input.addEventListener('change', () => {
    const files = [...(input.files ?? [])]
    // so that the same file can be chosen again after it was changed
    input.value = ''
    if (files.length > 0) take(files)
  })
}

/** Of a folder that was chosen, the files that lie in it directly, and its name. */
export function folderOf(files: readonly File[]): Dropped {
  const direct = files.filter(({ webkitRelativePath }) => webkitRelativePath.split('/').length <= 2)
  return { files: direct, folder: files[0]?.webkitRelativePath.split('/')[0] || undefined }
}

export function save(name: string, content: BlobPart, type: string): void {
  const url = URL.createObjectURL(new Blob([content], { type }))
  const link = document.createElement('a')
  link.href = url
  link.download = name
  link.click()
  // the download has begun by then; the browser keeps what it still reads
  setTimeout(() => URL.revokeObjectURL(url), 60_000)
}

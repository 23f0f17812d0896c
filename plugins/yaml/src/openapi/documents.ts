import { readdir, readFile } from 'node:fs/promises'
import { dirname, extname, join, resolve } from 'node:path'
import type { FileReading } from '../read/include.ts'
import { type Mapping, type Node, valueAt } from '../read/node.ts'
import { parseYaml } from '../read/parse.ts'
import type { GivenOpenApi } from '../sections/openapi.ts'
import type { Given } from '../table/given.ts'

/** An OpenAPI document, and the service of operations that name none. */
export interface Document {
  readonly root: Mapping
  readonly service: Given<string> | undefined
}

/** Where a document is asked for, and what it is. */
interface Wanted {
  readonly file: string
  readonly at: Given<unknown>
  readonly service: Given<string> | undefined
}

const extensions = ['.yaml', '.yml', '.json']

/** Reads all documents that a file names; paths are from its folder. What is wrong with one is told of. */
export async function readDocuments(
  { specsDirectory, defaultService, descriptors = undefined }: GivenOpenApi,
  base: string,
  reading: FileReading,
): Promise<readonly Document[]> {
  const service = descriptors?.defaultService ?? defaultService
  const endings = descriptors?.fileExtensions?.value ?? extensions
  const wanted: Wanted[] = []
  if (specsDirectory !== undefined) {
    const isDocument = (name: string) => /openapi|swagger/i.test(name) && extensions.includes(extname(name))
    for (const file of await filesIn(specsDirectory, base, isDocument, reading))
      wanted.push({ file, at: specsDirectory, service: defaultService })
  }
  const { specFiles, specDirs } = descriptors ?? {}
  for (const name of specFiles?.value ?? []) {
    if (specFiles !== undefined) wanted.push({ file: resolve(dirname(base), name), at: specFiles, service })
  }
  for (const folder of specDirs?.value ?? []) {
    if (specDirs === undefined) break
    const at = specDirs.map(() => folder)
    for (const file of await filesIn(at, base, name => endings.includes(extname(name)), reading))
      wanted.push({ file, at, service })
  }
  const once = new Map(wanted.map(one => [one.file, one]))
  const documents = await Promise.all([...once.values()].map(one => readDocument(one, reading)))
  return documents.filter(document => document !== undefined)
}

/** In a folder and those below, in an order that stays. */
async function filesIn(
  folder: Given<string>,
  base: string,
  isWanted: (name: string) => boolean,
  { problems }: FileReading,
): Promise<readonly string[]> {
  const path = resolve(dirname(base), folder.value)
  try {
    const entries = await readdir(path, { recursive: true, withFileTypes: true })
    const files = entries.filter(entry => !entry.isDirectory() && isWanted(entry.name))
    return files.map(entry => join(entry.parentPath, entry.name)).sort()
  } catch (error) {
    problems.error(folder, `cannot be read: ${reasonOf(error)}`)
    return []
  }
}

async function readDocument({ file, at, service }: Wanted, reading: FileReading): Promise<Document | undefined> {
  const { problems } = reading
  try {
    const content = await readFile(file)
    reading.sawFile(file, content)
    // What looks like a variable is a text of the document's.
    const root = parseYaml(file, content.toString('utf8'), { problems, variable: name => `\${${name}}` })
    if (root === undefined) return undefined
    return root.kind === 'mapping' && isOpenApi(valueAt(root, 'openapi'))
      ? { root, service }
      : (problems.error(root, 'is no OpenAPI 3 document: it has no "openapi: 3…"') ?? undefined)
  } catch (error) {
    reading.sawFile(file, undefined)
    problems.error(at, `cannot be read: ${file}: ${reasonOf(error)}`)
    return undefined
  }
}

function isOpenApi(version: Node | undefined): boolean {
  return version?.kind === 'scalar' && version.text.startsWith('3.')
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

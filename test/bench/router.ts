/**
 * What the router costs: `node test/bench/router.ts`.
 *
 * Every path comes as a fresh string out of a buffer, as the parser hands it over: its hash is not known and it is not
 * interned. `hot` asks for paths of 10 routes spread over the table, whatever its size, so that its ratio is that of
 * the algorithm; `all` asks for every route in turn, so that it also counts the memory that 10,000 routes and paths
 * take from the processor's caches.
 */
import { canonicalPath } from '../../core/src/routing/canonical-path.ts'
import { findConflicts } from '../../core/src/routing/conflicts.ts'
import { parsePattern, pathParams } from '../../core/src/routing/pattern.ts'
import { compileRouter, type RouteSpec } from '../../core/src/routing/router.ts'
import { whole } from '../../core/src/slices.ts'

const sizes = [10, 1_000, 10_000]
const rounds = 9
const matchesPerRound = 300_000
const noFields = { get: () => undefined }

/** One route in five of each shape, all paths as long whatever the size, with a path that takes it and one that nothing takes. */
const shapes: readonly ((i: string) => { pattern: string; hit: string; miss: string })[] = [
  i => ({ pattern: `/api/v1/res${i}`, hit: `/api/v1/res${i}`, miss: `/api/v1/nil${i}` }),
  i => ({ pattern: `/api/v1/res${i}/:id`, hit: `/api/v1/res${i}/18254`, miss: `/api/v1/res${i}/18254/none` }),
  i => ({
    pattern: `/api/v1/res${i}/:id/items/:item`,
    hit: `/api/v1/res${i}/18254/items/77`,
    miss: `/api/v1/res${i}/18254/things/77`,
  }),
  i => ({ pattern: `/files/f${i}/*`, hit: `/files/f${i}/2026/11/report.pdf`, miss: `/files/g${i}/2026/11/report.pdf` }),
  i => ({ pattern: `/v2/res${i}/list/recent`, hit: `/v2/res${i}/list/recent`, miss: `/v2/res${i}/list/oldest` }),
]

const tableOf = (size: number) =>
  Array.from({ length: size }, (_, i) => ({
    name: `route${i}`,
    ...shapeOf(i)(String(i).padStart(4, '0')),
    shape: i % shapes.length,
  }))

function shapeOf(i: number) {
  const shape = shapes[i % shapes.length]
  if (shape === undefined) throw new Error('no shape')
  return shape
}

function specsOf(table: ReturnType<typeof tableOf>): RouteSpec<number>[] {
  return table.map(({ name, pattern: text }, value) => {
    const pattern = parsePattern(text)
    if ('error' in pattern) throw new Error(pattern.error)
    return { name, hosts: [], methods: ['GET'], pattern, value }
  })
}

type Ask = (path: string) => unknown

/** Lowest nanoseconds a call over several rounds: the least disturbed one. */
function measure(paths: readonly string[], ask: Ask): number {
  const bytes = Buffer.from(paths.join(''), 'latin1')
  const starts = new Uint32Array(paths.length + 1)
  for (const [i, path] of paths.entries()) starts[i + 1] = (starts[i] ?? 0) + path.length
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const begin = process.hrtime.bigint()
    for (let n = 0, i = 0; n < matchesPerRound; n++) {
      ask(bytes.toString('latin1', starts[i], starts[i + 1]))
      if (++i === paths.length) i = 0
    }
    best = Math.min(best, Number(process.hrtime.bigint() - begin) / matchesPerRound)
  }
  return best
}

/** A fixed shuffle: neighbours in the table should not be neighbours in time. */
function shuffled<T>(items: readonly T[]): T[] {
  const out = [...items]
  let seed = 42
  for (let i = out.length - 1; i > 0; i--) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    const j = seed % (i + 1)
    const [a, b] = [out[i], out[j]]
    if (a === undefined || b === undefined) continue
    out[i] = b
    out[j] = a
  }
  return out
}

/** Ten routes from all over the table, two of each shape. */
const spreadOut = (table: readonly Row[]) =>
  Array.from({ length: 10 }, (_, i) => (i * table.length) / 10)
    .map((start, i) => start - (start % shapes.length) + (i % shapes.length))
    .flatMap(index => table[index] ?? [])

const kinds = {
  static: (row: Row) => (row.shape === 0 || row.shape === 4 ? row.hit : undefined),
  params: (row: Row) => (row.shape === 1 || row.shape === 2 ? row.hit : undefined),
  wildcard: (row: Row) => (row.shape === 3 ? row.hit : undefined),
  miss: (row: Row) => row.miss,
  mixed: (row: Row) => row.hit,
}
type Row = ReturnType<typeof tableOf>[number]

interface Contender {
  readonly name: string
  compile(table: readonly Row[]): Ask
}

const own: Contender = {
  name: 'this router',
  compile(table) {
    const router = compileRouter(specsOf([...table]))
    return path => router.match('GET', 'api.example.com', path, '', noFields)
  },
}
const ownParams: Contender = {
  name: 'this router, params read',
  compile(table) {
    const router = compileRouter(specsOf([...table]))
    return path => {
      const match = router.match('GET', 'api.example.com', path, '', noFields)
      return match.found ? pathParams(match.pattern, path) : undefined
    }
  },
}

/** Not among our dependencies; its shape is declared here so that the bench type-checks without it. */
interface FindMyWay {
  on(method: string, path: string, handler: () => void): void
  find(method: string, path: string): unknown
}

async function findMyWay(): Promise<Contender | undefined> {
  const from = process.env.FIND_MY_WAY ?? 'find-my-way'
  try {
    const { default: create } = (await import(from)) as { default: () => FindMyWay }
    return {
      name: 'find-my-way',
      compile(table) {
        const router = create()
        for (const { pattern } of table) router.on('GET', pattern, () => {})
        return path => router.find('GET', path)
      },
    }
  } catch {
    console.log('find-my-way is not here: `npm install --no-save find-my-way`, or FIND_MY_WAY=<path of its index.js>\n')
    return undefined
  }
}

function report(contender: Contender): void {
  console.log(`${contender.name}: ns a match, without the string (ratio to ${sizes[0]} routes)`)
  const asks = sizes.map(size => ({ table: tableOf(size), ask: contender.compile(tableOf(size)) }))
  for (const [kind, pathOf] of Object.entries(kinds)) {
    for (const spread of ['hot', 'all']) {
      let base = 0
      const cells = asks.map(({ table, ask }, index) => {
        const rows = spread === 'hot' ? spreadOut(table) : table
        const paths = shuffled(rows.flatMap(row => pathOf(row) ?? []))
        const cost = measure(paths, ask) - measure(paths, path => path)
        if (index === 0) base = cost
        return `${String(table.length).padStart(7)}: ${cost.toFixed(0).padStart(4)} (${(cost / base).toFixed(2)})`
      })
      console.log(`  ${kind.padEnd(9)} ${spread} ${cells.join('  ')}`)
    }
  }
  console.log()
}

function millis(run: () => unknown): string {
  const times = Array.from({ length: 5 }, () => {
    const begin = performance.now()
    run()
    return performance.now() - begin
  })
  return `${times[0]?.toFixed(1)} ms cold, ${Math.min(...times).toFixed(1)} ms warm`
}

const large = tableOf(10_000)
console.log(`parse 10,000 patterns    ${millis(() => specsOf(large))}`)
const specs = specsOf(large)
console.log(`compile 10,000 routes    ${millis(() => compileRouter(specs))}`)
console.log(`conflicts of 10,000      ${millis(() => whole(findConflicts(specs)))}`)
const ordinary = ['/api/v1/res1234/18254/items/77']
console.log(
  `canonicalPath, ordinary  ${(measure(ordinary, path => canonicalPath(path)) - measure(ordinary, path => path)).toFixed(0)} ns\n`,
)

const rival = await findMyWay()
for (const contender of [own, ownParams, ...(rival === undefined ? [] : [rival])]) report(contender)

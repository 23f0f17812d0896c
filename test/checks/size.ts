/** The kernel stays small enough to be read, and so does each file. */
import { globSync, readFileSync } from 'node:fs'

/**
 * Lines of code, comments left out, of what hosts plugins and carries requests: `core/src` without the data path's own
 * crafts (wire, router, pools, tunnels), without the command line, its loader, lints, plans, workers and what it asks a gateway, without
 * what a config takes from its environment, and without tests and the test kit.
 */
const kernelLimit = 7_100
const fileLimit = 450

const lines = (file: string) => readFileSync(file, 'utf8').split('\n').length - 1
const codeLines = (file: string) => readFileSync(file, 'utf8').match(/^\s*(?!\/[/*]|\*)\S.*$/gm)?.length ?? 0
const files = globSync('{core,testing,plugins,examples,test,.ci}/**/*.ts').filter(
  file => !/(^|\/)(node_modules|dist)\/|\.test\.ts$|^test\/(fixtures|types)\//.test(file),
)
const kernel = files.filter(
  file =>
    /^core\/src\/(?!(http1|http2|tls|routing|tunnel|upstream|cli|inspect|plan|loader|workers|control|testing|config\/environment)\/)/.test(
      file,
    ) && !/\.(fixture|vectors)\.ts$/.test(file),
)
const kernelLines = kernel.reduce((sum, file) => sum + codeLines(file), 0)

const problems = files
  .filter(file => lines(file) > fileLimit)
  .map(file => `${file} has ${lines(file)} lines, the limit is ${fileLimit}`)
if (kernelLines > kernelLimit) {
  problems.push(`the kernel has ${kernelLines} lines of code, the limit is ${kernelLimit}`)
}
if (kernel.length === 0) problems.push('no kernel file was found')
for (const problem of problems) console.error(problem)
console.log(`kernel ${kernelLines} of ${kernelLimit} lines of code in ${kernel.length} files`)
process.exitCode = problems.length > 0 ? 1 : 0

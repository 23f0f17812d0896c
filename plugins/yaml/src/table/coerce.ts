import { isNull, type Node, type Scalar } from '../read/node.ts'

/** Scalars as yaml.v3 reads them into the types of Go. Each returns undefined for what it does not take. */

/** What a reference stands for has no type of its own, also between quotes. */
const looksLikeItself = ({ plain, references }: Scalar) => plain || references.length > 0

export function toText(node: Node): string | undefined {
  return node.kind === 'scalar' ? node.text : undefined
}

/** A float is cut off, as Go does it. */
export function toInteger(node: Node): number | undefined {
  const value = toNumber(node)
  return value === undefined || !Number.isSafeInteger(Math.trunc(value)) ? undefined : Math.trunc(value)
}

export function toNumber(node: Node): number | undefined {
  return node.kind === 'scalar' && looksLikeItself(node) ? readNumber(node.text) : undefined
}

/** The words of YAML 1.1 as well: yaml.v3 takes them where a bool is wanted. */
export function toFlag(node: Node): boolean | undefined {
  if (node.kind !== 'scalar' || !looksLikeItself(node)) return undefined
  if (/^(?:true|True|TRUE|y|Y|yes|Yes|YES|on|On|ON)$/.test(node.text)) return true
  return /^(?:false|False|FALSE|n|N|no|No|NO|off|Off|OFF)$/.test(node.text) ? false : undefined
}

/** Plain data, by the YAML 1.2 core schema. */
export function toData(node: Node): unknown {
  if (node.kind === 'sequence') return node.items.map(toData)
  if (node.kind === 'mapping') {
    return Object.fromEntries([...node.entries].map(([key, { value }]) => [key, toData(value)]))
  }
  return toPlain(node)
}

export function toPlain(scalar: Scalar): string | number | boolean | null {
  if (isNull(scalar)) return null
  if (!scalar.plain) return scalar.text
  if (/^(?:true|True|TRUE)$/.test(scalar.text)) return true
  if (/^(?:false|False|FALSE)$/.test(scalar.text)) return false
  return readNumber(scalar.text) ?? scalar.text
}

/** `08` is no octal number, and a float then. */
function readNumber(written: string): number | undefined {
  const [, sign = '', text = ''] = /^([-+]?)(\d.*|\..*)$/.exec(written) ?? []
  const digits = text.replaceAll('_', '')
  const octal = /^0o?([0-7]+)$/.exec(digits)?.[1]
  if (octal !== undefined) return Number(`${sign}1`) * Number.parseInt(octal, 8)
  const number = /^(?:0x[\da-f]+|0b[01]+|(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)$/i.test(digits)
    ? Number(digits)
    : undefined
  return number === undefined || !Number.isFinite(number) ? undefined : Number(`${sign}1`) * number
}

/** A text as a literal: in single quotes, unless double ones save escapes. */
export function quote(text: string): string {
  const json = escaped(text)
  if (count(text, "'") > count(text, '"')) return json
  return `'${json.slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`
}

/** A text as part of a template literal. */
export function quoteInTemplate(text: string): string {
  return escaped(text).slice(1, -1).replaceAll('\\"', '"').replaceAll('`', '\\`').replaceAll('${', '\\${')
}

export function quoteKey(key: string): string {
  // Written plainly, it would set the prototype.
  if (key === '__proto__') return "['__proto__']"
  return /^[A-Za-z_$][\w$]*$/.test(key) ? key : quote(key)
}

function escaped(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

const count = (text: string, part: string) => text.split(part).length - 1

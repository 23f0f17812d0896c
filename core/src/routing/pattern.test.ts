import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalPath } from './canonical-path.ts'
import { matchesPattern, matchKey, type Pattern, parsePattern, pathParams, rawParams } from './pattern.ts'
import { patternVectors } from './pattern.vectors.ts'
import { compileRouter } from './router.ts'

function patternOf(text: string): Pattern {
  const pattern = parsePattern(text)
  if ('error' in pattern) throw new Error(pattern.error)
  return pattern
}

const noFields = { get: () => undefined }

describe('patterns', () => {
  it.each(patternVectors)('%s and %s', (text, path, params) => {
    const pattern = patternOf(text)
    const router = compileRouter([{ name: 'r', hosts: [], methods: [], pattern, value: 1 }])
    const match = router.match('GET', 'h', path, '', noFields)
    expect(match.found).toBe(params !== undefined)
    expect(matchesPattern(pattern, matchKey(path))).toBe(params !== undefined)
    if (!match.found || params === undefined) return
    const read = pathParams(match.pattern, path)
    expect(Object.entries(read)).toEqual(Object.entries(params))
    expect(Object.keys(read).sort()).toEqual([...pattern.params].sort())
  })

  it('have parameters without inherited properties', () => {
    const params = pathParams(patternOf('/:id'), '/1')
    for (const name of ['toString', 'constructor', '__proto__']) expect(params[name]).toBeUndefined()
    expect({ ...params }).toEqual({ id: '1' })
  })

  it('give parameters raw for rewriting', () => {
    expect(rawParams(patternOf('/a/:x/b/:y/*'), '/a/1%2F2/b/%C3%A9/c%20/d')).toEqual(['1%2F2', '%C3%A9', 'c%20/d'])
    expect(rawParams(patternOf('/*'), '/')).toEqual([''])
    expect(rawParams(patternOf('/a'), '/a')).toEqual([])
  })

  it.each([
    ['', 0, 'write "/"'],
    ['users', 0, 'write "/users"'],
    ['/a?b', 2, '"?"'],
    ['/a#b', 2, '"#"'],
    ['/a//b', 3, 'empty segment'],
    ['//', 1, 'empty segment'],
    ['/a/:', 3, 'needs a name'],
    ['/a/:/b', 3, 'needs a name'],
    ['/:1a', 2, 'whole segment'],
    ['/:-a', 2, 'whole segment'],
    ['/:id.json', 4, 'whole segment'],
    ['/:a:b', 3, 'whole segment'],
    ['/:id?', 4, 'optional'],
    ['/a/:x/:x', 6, 'twice'],
    ['/api*', 4, 'at its end'],
    ['/a/*/b', 3, 'at its end'],
    ['/a/**', 3, 'at its end'],
    ['/{id}', 1, '":id"'],
    ['/{rest...}', 1, '":id"'],
    ['/a/./b', 3, 'dot segments'],
    ['/a/..', 3, 'dot segments'],
    ['/a/%2e%2E', 3, 'dot segments'],
    ['/a/.%2e/b', 3, 'dot segments'],
    ['/a%2Fb', 2, 'parameter'],
    ['/a%2fb', 2, 'parameter'],
    ['/a%5Cb', 2, 'backslash'],
    ['/a\\b', 2, 'backslash'],
    ['/a%00', 2, 'control'],
    ['/a%zz', 2, 'write "%25"'],
    ['/100%', 4, 'write "%25"'],
    ['/%7Euser', 1, 'write it in canonical percent-encoding: "~user"'],
    ['/a%c3%a9', 3, '"a%C3%A9"'],
    ['/café', 4, '"caf%C3%A9"'],
    ['/a b', 2, '"a%20b"'],
    ['/a|b', 2, '"a%7Cb"'],
    ['/a"b', 2, '"a%22b"'],
    ['/%C0%AE', 1, 'not UTF-8'],
    ['/\ud800', 1, 'canonical'],
    ['/a\tb', 2, 'control'],
  ])('%j is refused at %d: %s', (text, at, remedy) => {
    const read = parsePattern(text)
    expect(read).toMatchObject({ at, error: expect.stringContaining(remedy) })
  })

  it('accept whatever they suggest', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), text => {
        const read = parsePattern(`/x${text}`)
        const [, better] = 'error' in read ? (/encoding: "(.*)"$/.exec(read.error) ?? []) : []
        // The suggestion is for one segment; the first one with a fault.
        if (better !== undefined) expect(parsePattern(`/${better}`)).not.toHaveProperty('error')
      }),
    )
  })

  it('without parameters match themselves', () => {
    fc.assert(
      fc.property(fc.webPath(), text => {
        const path = canonicalPath(text)
        if (typeof path !== 'string' || path.includes('*')) return
        const pattern = parsePattern(path)
        if ('error' in pattern || pattern.params.length > 0) return
        const router = compileRouter([{ name: 'r', hosts: [], methods: [], pattern, value: 1 }])
        expect(router.match('GET', '', path, '', noFields).found).toBe(true)
      }),
    )
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalPath, defaultPathOptions } from './canonical-path.ts'
import { type Pattern, parsePattern, rawParams } from './pattern.ts'
import { fillTemplate, parseTemplate, type Template } from './template.ts'

function patternOf(text: string): Pattern {
  const pattern = parsePattern(text)
  if ('error' in pattern) throw new Error(pattern.error)
  return pattern
}

function templateOf(text: string, pattern: Pattern): Template {
  const template = parseTemplate(text, pattern)
  if ('error' in template) throw new Error(template.error)
  return template
}

describe('templates', () => {
  it.each([
    ['/users/:id', '/v2/users/:id', '/users/7', '/v2/users/7'],
    ['/users/:id', '/:id/:id/', '/users/7', '/7/7/'],
    ['/a/:x/:y', '/:y/:x', '/a/1/2', '/2/1'],
    ['/a/*', '/*', '/a/b/c', '/b/c'],
    ['/a/*', '/*', '/a/', '/'],
    ['/a/:x/*', '/v/*', '/a/1/', '/v/'],
    ['/a/:x/*', '/:x/v/*', '/a/1/b%20c/', '/1/v/b%20c/'],
    ['/a', '/', '/a', '/'],
    ['/a', '/b/c', '/a', '/b/c'],
    ['/a/:x', '/b/:x', '/a/%2F%3F%23', '/b/%2F%3F%23'],
    ['/a/:x', '/b/:x/c', '/a/..%2F', '/b/..%2F/c'],
  ])('%s to %s: %s becomes %s', (from, to, path, result) => {
    const pattern = patternOf(from)
    expect(fillTemplate(templateOf(to, pattern), rawParams(pattern, path))).toBe(result)
  })

  it('name the parameter that the pattern lacks', () => {
    const pattern = patternOf('/users/:id')
    expect(parseTemplate('/u/:di', pattern)).toEqual({
      error: '"/users/:id" has no parameter ":di"',
      at: 3,
      unknown: 'di',
    })
    expect(parseTemplate('/u/*', pattern)).toMatchObject({ at: 3, unknown: '*' })
    expect(parseTemplate('/:id/:x', pattern)).toMatchObject({ at: 5, unknown: 'x' })
  })

  it.each(['u', '/a//b', '/a?b', '/a/*/b', '/:', '/a b'])('follow the grammar of patterns: %s', text => {
    const read = parseTemplate(text, patternOf('/users/:id'))
    expect(read).toHaveProperty('error')
    expect(read).not.toHaveProperty('unknown')
  })

  it('make a canonical path of as many segments as they have, whatever the parameters', () => {
    const pattern = patternOf('/in/:a/:b')
    const template = templateOf('/out/:b/x/:a', pattern)
    const options = { ...defaultPathOptions, encodedSlashes: 'keep', emptySegments: 'refuse' } as const
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.string({ minLength: 1 }), (a, b) => {
        const path = canonicalPath(`/in/${encodeURIComponent(a)}/${encodeURIComponent(b)}`, options)
        if (typeof path !== 'string') return
        const out = fillTemplate(template, rawParams(pattern, path))
        expect(out.split('/')).toHaveLength(5)
        expect(canonicalPath(out, options)).toBe(out)
      }),
    )
  })
})

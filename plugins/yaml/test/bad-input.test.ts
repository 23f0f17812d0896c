import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { translate } from '../src/index.ts'
import { file, folder, told, translated } from './told.ts'

test('the file that the others are made of is right', async () => expect(await told(file())).toEqual([]))

describe('what is no YAML, or not what it has to be', () => {
  const cases: readonly [string, string, readonly (string | RegExp)[]][] = [
    ['nothing', '', ['1:1 error CONFIG_SYNTAX is empty']],
    ['a tab', 'gateway:\n\trouter: {}\n', [/^2:1 error CONFIG_SYNTAX Tabs are not allowed as indentation/]],
    ['a bracket that stays open', 'gateway: [1,\n', [/^2:1 error CONFIG_SYNTAX Flow sequence/]],
    ['a text that stays open', 'gateway: "\n', [/error CONFIG_SYNTAX Missing closing/]],
    ['bytes that are none', '\0\u0001: [\n', [/error CONFIG_SYNTAX/]],
    ['a text', 'gateway', ['1:1 error CONFIG_INVALID_VALUE must be a mapping that begins with "gateway:"']],
    [
      'another root',
      'gatway: {}',
      [
        /^1:1 warning CONFIG_UNKNOWN_KEY unknown key "gatway" \[did you mean "gateway"\?\]/,
        /^1:1 error CONFIG_MISSING_KEY/,
      ],
    ],
    ['a gateway that is a list', 'gateway: []', ['1:10 error CONFIG_INVALID_VALUE must be a mapping']],
    [
      'a key twice',
      file({ gateway: '  router: {}\n' }),
      ['10:3 error CONFIG_DUPLICATE_KEY the key "router" is there twice: the first is in line 7'],
    ],
    [
      'an anchor that is not there',
      file({ rule: 'path: *x' }),
      [/^9:33 error CONFIG_SYNTAX there is no anchor "&x" before this/, /CONFIG_MISSING_KEY/],
    ],
    [
      'an anchor within itself',
      'gateway: &a\n  router: *a\n',
      [/^2:11 error CONFIG_SYNTAX "\*a" stands within itself/, /./, /./],
    ],
    ['a merge of a text', 'gateway: { <<: x }', [/^1:16 error CONFIG_SYNTAX "<<" merges mappings/, /./, /./]],
    ['a key that is a list', 'gateway: { [a]: 1 }', [/^1:12 error CONFIG_SYNTAX a key must be a word/, /./, /./]],
    ['a second document', `${file()}---\nx: 1\n`, [/^10:1 warning CONFIG_YAML is a second document/]],
  ]
  test.each(cases)('%s', async (_name, text, expected) => {
    const problems = await told(text)
    expect(problems).toHaveLength(expected.length)
    for (const [index, pattern] of expected.entries()) {
      if (typeof pattern === 'string') expect(problems[index]).toBe(pattern)
      else expect(problems[index]).toMatch(pattern)
    }
  })

  test('aliases that stand for billions are refused at once', async () => {
    const levels = Array.from(
      { length: 12 },
      (_, level) => `  l${level + 1}: &l${level + 1} [${Array(9).fill(`*l${level}`)}]`,
    )
    const text = `gateway:\n  plugins: []\nx-bomb:\n  l0: &l0 x\n${levels.join('\n')}\n`
    expect(await told(text)).toContainEqual(
      expect.stringMatching(/^\d+:\d+ error CONFIG_SYNTAX aliases stand for more than 100,000 values/),
    )
  })

  test('nesting without end is refused', async () => {
    const text = `gateway: ${'['.repeat(5_000)}${']'.repeat(5_000)}`
    expect(await told(text)).toContainEqual(expect.stringMatching(/nested more than 200 levels deep|too deep/))
  })
})

describe('values', () => {
  const cases: readonly [string, string, readonly string[]][] = [
    [
      'a text for a number',
      file({ gateway: '  frontend: { http: { port: "8080" } }\n' }),
      ['10:29 error CONFIG_INVALID_VALUE must be a whole number, not "8080"'],
    ],
    [
      'a number out of its bounds',
      file({ gateway: '  frontend: { http: { port: 70000 } }\n' }),
      ['10:29 error CONFIG_INVALID_VALUE must be a whole number from 0 to 65535, not 70000'],
    ],
    [
      'a duration for seconds',
      file({ rule: 'path: /a, timeout: 30s' }),
      ['9:46 error CONFIG_INVALID_VALUE must be a whole number of seconds, not "30s"'],
    ],
    [
      'a text for a list',
      file({ rule: 'path: /a, methods: GET' }),
      ['9:46 error CONFIG_INVALID_VALUE must be a list of texts, not "GET"'],
    ],
    [
      'a list for a mapping',
      file({ gateway: '  frontend: { http: [] }\n' }),
      ['10:21 error CONFIG_INVALID_VALUE must be a mapping, not a list'],
    ],
    [
      'a list for a folder of sections',
      file({ gateway: '  frontend: []\n' }),
      ['10:13 error CONFIG_INVALID_VALUE must be a mapping'],
    ],
    [
      'a number for a flag',
      file({ gateway: '  frontend: { sse: { enabled: 1 } }\n' }),
      ['10:31 error CONFIG_INVALID_VALUE must be true or false, not 1'],
    ],
    [
      'an unknown balancer',
      file({ rule: 'path: /a, loadBalance: weigthed' }),
      [
        '9:50 error CONFIG_INVALID_VALUE must be one of round_robin, weighted_round_robin, weighted, sticky_session, sticky, weighted_random, random, least_connections, response_time, adaptive, consistent_hash, not "weigthed" [did you mean "weighted"?]',
      ],
    ],
    [
      'an unknown key',
      file({ rule: 'path: /a, timout: 3' }),
      ['9:37 warning CONFIG_UNKNOWN_KEY unknown key "timout" [did you mean "timeout"?]'],
    ],
    [
      'an unknown section',
      file({ gateway: '  frontned: {}\n' }),
      ['10:3 warning CONFIG_UNKNOWN_KEY unknown key "frontned" [did you mean "frontend"?]'],
    ],
    ['a key of its own', file({ rule: 'path: /a, x-note: 3' }), []],
    ['nothing for a section', file({ gateway: '  frontend:\n' }), []],
    [
      'no path',
      file({ rule: 'id: a' }),
      [
        '9:9 error CONFIG_MISSING_KEY has no "path": Which paths it takes: `/users`, `/users/:id`, `/users/*`; `/users/` is the whole subtree.',
      ],
    ],
    [
      'an unknown method',
      file({ rule: 'path: /a, methods: [FETCH]' }),
      [
        '9:46 error CONFIG_UNKNOWN_METHOD has an unknown method "FETCH" [known: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS]',
      ],
    ],
    [
      'a variable that is not set',
      file({ rule: `path: "\${NO_PATH}"` }),
      [
        `9:33 error CONFIG_ENV_MISSING the environment variable NO_PATH is not set [export NO_PATH=…, or write \${NO_PATH:-default}]`,
      ],
    ],
    [
      'TLS without a certificate',
      file({ gateway: '  frontend: { http: { tls: { enabled: true, keyFile: k } } }\n' }),
      ['10:28 error CONFIG_MISSING_KEY is enabled and has no "certFile"'],
    ],
  ]
  test.each(cases)('%s', async (_name, text, expected) => expect(await told(text)).toEqual(expected))

  test('no registry, no rules', async () => {
    expect(await told('gateway: {}')).toEqual([
      '1:10 error CONFIG_MISSING_KEY has no services: list them under registry.static.services',
      '1:10 error CONFIG_MISSING_KEY has no rules: list at least one under router.rules',
    ])
  })

  test('rules that contradict each other are both named', async () => {
    const text = file({ rule: 'id: one, path: "/a/:x"', rules: '      - { id: two, path: "/:y/b", serviceName: a }\n' })
    expect(await told(text)).toEqual([
      '10:26 error CONFIG_ROUTE_CONFLICT the rules "one" (line 9) and "two" both take some paths, and neither is more specific: /a/:x and /:y/b [Change one of the paths, or let them take different methods.]',
    ])
  })

  test('what is there twice names the first', async () => {
    const text = file({ rule: 'id: one, path: /a', rules: '      - { id: one, path: /b, serviceName: a }\n' })
    expect(await told(text)).toEqual([
      '10:15 error CONFIG_DUPLICATE_ROUTE there are two rules "one": the first is in line 9',
    ])
  })

  test('a name that a second route needs is not taken from another', async () => {
    const text = file({ rule: 'id: a, path: /a/', rules: '      - { id: "a (root)", path: /b, serviceName: a }\n' })
    expect(await told(text)).toEqual([
      expect.stringMatching(/^10:\d+ error CONFIG_INVALID_VALUE needs the name "a \(root\)", which another has/),
    ])
  })

  test('a service that is not there is told of with the nearest', async () => {
    const text = file({ rule: 'path: /a', rules: '      - { path: /b, serviceName: ab }\n' })
    expect(await told(text)).toEqual([
      '10:34 error CONFIG_UNKNOWN_SERVICE there is no service "ab" [did you mean "a"?]',
    ])
  })
})

describe('the environment', () => {
  test('references are expanded, with fallbacks, and kept out of comments and keys', async () => {
    const text = file({ rule: `path: "/\${P}\${Q:-/q}$\${P}" # \${NONE}` }).replaceAll(`# \${NONE} }`, `} # \${NONE}`)
    const { module, problems } = await translated(text, { variables: { P: 'p' } })
    expect(problems).toEqual([])
    expect(module?.code).toContain(`match: 'ANY /p/q\${P}'`)
  })

  test('a variable wins over the file, and makes sections that are not there', async () => {
    const variables = {
      GATEWAY_GATEWAY_FRONTEND_HTTP_PORT: '9000',
      GATEWAY_GATEWAY_FRONTEND_HTTP_TLS_ENABLED: 'F',
      GATEWAY_GATEWAY_BACKEND_HTTP_DIALTIMEOUT: '',
      GATEWAY_GATEWAY_FRONTEND_WEBSOCKET_ALLOWEDORIGINS: 'https://a.example, https://b.example',
      GATEWAY_GATEWAY_FRONTEND_WEBSOCKET_ENABLED: '1',
      GATEWAY_GATEWAY_FRONTEND_WEBSOCKET_CHECKORIGIN: 'TRUE',
    }
    const { module, problems } = await translated(file({ gateway: '  frontend: { http: { port: 8000 } }\n' }), {
      variables,
    })
    expect(problems).toEqual([])
    expect(module?.code).toContain('port: 9000')
    expect(module?.code).toContain("origins: ['https://a.example', 'https://b.example']")
    expect(module?.code).not.toContain('8000')
  })

  test('a variable that is wrong, and one that names nothing, are told of by name', async () => {
    const variables = { GATEWAY_GATEWAY_FRONTEND_HTTP_PORT: '8o', GATEWAY_GATEWAY_FRONTEND_HTP_PORT: '1' }
    expect(await told(file(), { variables })).toEqual([
      'undefined:undefined warning CONFIG_UNKNOWN_KEY the environment variable GATEWAY_GATEWAY_FRONTEND_HTP_PORT sets nothing that there is [did you mean GATEWAY_GATEWAY_FRONTEND_HTTP_PORT?]',
      'undefined:undefined error CONFIG_INVALID_VALUE the environment variable GATEWAY_GATEWAY_FRONTEND_HTTP_PORT must be a whole number, not what a variable stands for',
    ])
  })
})

describe('anchors, merge keys, includes', () => {
  test('an anchor stands for its value, a merge key for what is not said otherwise', async () => {
    const text = `x-rule: &rule { serviceName: a, timeout: 7 }\n${file({ rules: '      - { <<: *rule, path: /b }\n      - { path: /c, timeout: 8, <<: [*rule] }\n' })}`
    const { module, problems } = await translated(text)
    expect(problems).toEqual([])
    expect(module?.code.match(/total: '\ds'/g)).toEqual(["total: '7s'", "total: '8s'"])
  })

  test('included files add rules and services, and the file itself wins', async () => {
    const more = `gateway:\n  frontend: { http: { port: 1 } }\n  router: { rules: [{ path: /b, serviceName: a, timout: 1 }] }\n`
    const text = `include: [more.yaml]\n${file({ gateway: '  frontend: { http: { port: 2 } }\n' })}`
    const { module } = await translated(text, { files: { 'more.yaml': more } })
    expect(module?.code).toMatch(/port: 2,[\s\S]*match: 'ANY \/b'[\s\S]*match: 'ANY \/a'/)
    expect(await told(text, { files: { 'more.yaml': more } })).toEqual([
      'more.yaml:3:49 warning CONFIG_UNKNOWN_KEY unknown key "timout" [did you mean "timeout"?]',
    ])
  })

  test('includes that lead back, or nowhere', async () => {
    const files = { 'circle.yaml': 'include: gateway.yaml\ngateway: {}\n' }
    expect(await told(`include: [circle.yaml, none.yaml]\n${file()}`, { files })).toEqual([
      'circle.yaml:1:10 error CONFIG_INVALID_VALUE includes a file that includes this one',
      '1:24 error CONFIG_INVALID_VALUE cannot be read: ENOENT',
    ])
  })
})

describe('many rules, which a thread reads', () => {
  const rules = Array.from({ length: 2_000 }, (_, index) => {
    return `      - { id: rule-number-${index}, path: /api/number-${index}/*, methods: [GET, POST], serviceName: a, timeout: 30 }\n`
  }).join('')

  test('timers go on meanwhile', async () => {
    let turns = 0
    const timer = setInterval(() => turns++, 5)
    const { module, problems } = await translated(file({ rules }))
    clearInterval(timer)
    expect(problems).toEqual([])
    expect(module?.code).toContain('/api/number-1999/*')
    expect(turns).toBeGreaterThan(10)
  })

  test('it tells of what it read', async () => {
    vi.stubEnv('YAML_TEST_PATH', 'p')
    const asked: string[] = []
    const seen: [string, boolean][] = []
    writeFileSync(join(folder, 'more.yaml'), 'gateway: {}\n')
    const text = `include: more.yaml\n${file({ rule: `path: "/\${YAML_TEST_PATH}"`, rules })}`
    writeFileSync(join(folder, 'gateway.yaml'), text)
    const { module } = await translate(join(folder, 'gateway.yaml'), {
      names: [],
      variable: name => void asked.push(name),
      sawFile: (path, content) => seen.push([path, Buffer.isBuffer(content)]),
    })
    vi.unstubAllEnvs()
    expect(module?.code).toContain("match: 'ANY /p'")
    expect(asked).toContain('YAML_TEST_PATH')
    expect(seen).toEqual([
      [join(folder, 'gateway.yaml'), true],
      [join(folder, 'more.yaml'), true],
    ])
  })

  test('it tells of what is wrong with it, and of a file that is not there', async () => {
    expect(await told(file({ rules: `${rules}      - { path: b, serviceName: a }\n` }))).toEqual([
      '2010:17 error CONFIG_INVALID_PATH must begin with a slash: write "/b"',
    ])
    await expect(
      translate(join(folder, 'none.yaml'), { names: [], variable: () => undefined, sawFile() {} }),
    ).rejects.toThrow('ENOENT')
  })
})

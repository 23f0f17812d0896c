import { isInline, Secret } from '../config/environment/secret.ts'
import { type ConfigPath, isRecord } from '../config/issues.ts'
import type { Finding, Linted } from './finding.ts'

/** Secrets whose text stands in the config: options that a plugin declares by `secretText()`. */
export function* inlineSecrets({ model: { plugins, services, routes } }: Linted): Generator<Finding | undefined> {
  for (const { position, options } of plugins) yield* inside(options, ['plugins', position])
  for (const { name, options, discover, balance, connector } of services) {
    yield* inside(options, ['services', name])
    for (const [key, choice] of Object.entries({ discover, balance, connector })) {
      yield* inside(choice?.options, ['services', name, key])
    }
  }
  for (const { name, options } of routes) yield* inside(options, ['routes', name])
}

function* inside(options: unknown, path: ConfigPath): Generator<Finding | undefined> {
  for (const found of pathsOf(options, path, [])) {
    yield {
      code: 'CONFIG_SECRET_INLINE',
      message: 'is a secret that stands in the config, for all who may read that',
      path: found,
      hint: "take it from the environment, secret('NAME'), or from a file, secret.file(path)",
    }
  }
  yield
}

function pathsOf(value: unknown, path: ConfigPath, above: readonly unknown[]): ConfigPath[] {
  if (value instanceof Secret) return isInline(value) ? [path] : []
  if (above.includes(value)) return []
  const inside = [...above, value]
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index], inside))
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key], inside))
}

import { isInline, Secret } from './environment/secret.ts'
import { type ConfigPath, isRecord, type Report } from './issues.ts'
import type { Model } from './model.ts'

/** Warns of secrets whose text stands in the config: options that a plugin declares by `secretText()`. */
export function lintSecrets({ plugins, services, routes }: Model, report: Report): void {
  const check = (options: unknown, path: ConfigPath) => {
    for (const found of inlineSecrets(options, path, [])) {
      report({
        severity: 'warning',
        code: 'CONFIG_SECRET_INLINE',
        message: 'is a secret that stands in the config, for all who may read that',
        path: found,
        hint: "take it from the environment, secret('NAME'), or from a file, secret.file(path)",
      })
    }
  }
  for (const { position, options } of plugins) check(options, ['plugins', position])
  for (const { name, options, discover, balance, connector } of services) {
    check(options, ['services', name])
    for (const [key, choice] of Object.entries({ discover, balance, connector })) {
      check(choice?.options, ['services', name, key])
    }
  }
  for (const { name, options } of routes) check(options, ['routes', name])
}

function inlineSecrets(value: unknown, path: ConfigPath, above: readonly unknown[]): ConfigPath[] {
  if (value instanceof Secret) return isInline(value) ? [path] : []
  if (above.includes(value)) return []
  const inside = [...above, value]
  if (Array.isArray(value)) return value.flatMap((item, index) => inlineSecrets(item, [...path, index], inside))
  if (!isRecord(value)) return []
  return Object.entries(value).flatMap(([key, item]) => inlineSecrets(item, [...path, key], inside))
}

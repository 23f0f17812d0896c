import { isInline, Secret } from '../config/environment/secret.ts'
import { type ConfigPath, isRecord } from '../config/issues.ts'
import { each } from '../slices.ts'
import type { Lint } from './finding.ts'

/** Secrets whose text stands in the config: options that a plugin declares by `secretText()`. */
export const inlineSecrets: Lint = function* ({ model: { plugins, services, routes } }, report) {
  const look = (options: unknown, ...place: ConfigPath) => {
    for (const path of pathsOf(options, place, [])) {
      report({
        code: 'CONFIG_SECRET_INLINE',
        message: 'is a secret that stands in the config, for all who may read that',
        path,
        hint: "take it from the environment, secret('NAME'), or from a file, secret.file(path)",
      })
    }
  }
  for (const { position, options } of plugins) look(options, 'plugins', position)
  yield* each(services, ({ name, options, discover, balance, connector }) => {
    look(options, 'services', name)
    for (const [key, choice] of Object.entries({ discover, balance, connector })) {
      look(choice?.options, 'services', name, key)
    }
  })
  yield* each(routes, ({ name, options }) => look(options, 'routes', name))
}

const none: readonly ConfigPath[] = []

function pathsOf(value: unknown, path: ConfigPath, above: readonly unknown[]): readonly ConfigPath[] {
  if (value instanceof Secret) return isInline(value) ? [path] : none
  if (above.includes(value)) return none
  if (Array.isArray(value)) return value.flatMap((item, index) => pathsOf(item, [...path, index], [...above, value]))
  if (!isRecord(value)) return none
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, [...path, key], [...above, value]))
}

import { isDeepStrictEqual } from 'node:util'
import type { FieldPredicate, Model, PathOptions, RouteAction } from '../config/model.ts'
import type { Entry, SerialisedModel } from '../control/serialise-model.ts'
import { parsePattern } from '../routing/pattern.ts'
import type { Deciding } from './decide.ts'

export interface Revived {
  readonly deciding: Deciding
  /** Routes whose conditions hold a secret that serialising does not tell. They take no request. */
  readonly untold: readonly string[]
}

/**
 * What a serialised config decides requests by. `like` is a config that was serialised with the same salt: what a route
 * has in common with the one of that name there, it has from there, since serialising tells no secret.
 */
export function reviveDeciding(serialised: SerialisedModel, like: Model, likeSerialised: SerialisedModel): Revived {
  const known = new Map(like.routes.map(route => [route.name, route]))
  const untold: string[] = []
  const routes = Object.entries(serialised.routes).flatMap(([name, entry]): Deciding['routes'] => {
    const other = known.get(name)
    if (other !== undefined && isDeepStrictEqual(asked(entry), asked(likeSerialised.routes[name]))) return [other]
    if (JSON.stringify([entry.headers, entry.query]).includes('[redacted ')) {
      untold.push(name)
      return []
    }
    const { match, methods, listeners, hosts, action } = entry
    const pattern = parsePattern(String(match).replace(/^[^/]*/, ''))
    if ('error' in pattern) throw new TypeError(pattern.error)
    return [
      {
        name,
        methods: methods as readonly string[],
        listeners: listeners as readonly string[],
        hosts: hosts as readonly string[],
        pattern,
        headers: revivePredicates(entry.headers),
        query: revivePredicates(entry.query),
        // Serialised as it was, but for the bodies of replies, which decide nothing.
        action: { rewrite: undefined, stripPrefix: undefined, ...(action as Entry) } as unknown as RouteAction,
      },
    ]
  })
  return { deciding: { listeners: reviveListeners(serialised, likeSerialised), routes }, untold }
}

const asked = (entry: Entry | undefined) => {
  const { match, methods, listeners, hosts, headers, query, action } = entry ?? {}
  return [match, methods, listeners, hosts, headers, query, action]
}

function revivePredicates(predicates: Entry[string] | undefined): FieldPredicate[] {
  return (Array.isArray(predicates) ? predicates : []).map(({ pattern, ...predicate }) => {
    if (pattern === undefined) return predicate
    const [, source = '', flags] = /^\/(.*)\/(\w*)$/s.exec(String(pattern)) ?? []
    return { ...predicate, pattern: new RegExp(source, flags) }
  })
}

/** The first counts for requests that name no port, and serialising sorts them: those of the other config come first. */
function reviveListeners({ listeners }: SerialisedModel, like: SerialisedModel): Deciding['listeners'] {
  const names = Object.keys(listeners)
  const ordered = [...Object.keys(like.listeners), ...names].filter(name => names.includes(name))
  return ordered.map(name => ({
    name: listeners[name]?.name as string | undefined,
    port: Number(/:(\d+)(?:, \d+)?$/.exec(name)?.[1]),
    paths: listeners[name]?.paths as unknown as PathOptions,
  }))
}

import type { Model } from '../config/model.ts'
import type { SerialisedModel } from '../control/serialise-model.ts'
import { createDecide, type Deciding } from '../plan/decide.ts'
import { isHar, RecordError, recordedRequests } from '../plan/recorded-requests.ts'
import { type Replay, replay } from '../plan/replay.ts'
import { reviveDeciding } from '../plan/revive-deciding.ts'
import { PlainFailure } from './plain-failure.ts'
import type { ReplayOutput } from './plan-output.ts'

interface Side {
  readonly serialised: SerialisedModel
  readonly model: Model
}

/**
 * Decides the requests of a file by both configs. `host` is that of requests which name none; `old` has no model when it
 * is that of a running gateway.
 *
 * @throws PlainFailure when the file cannot be read or holds no request
 */
export async function replayRecord(
  file: string,
  host: string | undefined,
  old: Pick<Side, 'serialised'> & { readonly model: Model | undefined },
  now: Side,
): Promise<ReplayOutput> {
  const { deciding, untold } = old.model
    ? { deciding: old.model, untold: [] }
    : reviveDeciding(old.serialised, now.model, now.serialised)
  const before = createDecide(old.serialised, deciding)
  const after = createDecide(now.serialised, now.model)
  const replayed = await replay(recordedRequests(file), before, after, host).catch((error: unknown): never => {
    const isOfFile = error instanceof RecordError || (error instanceof Error && 'code' in error)
    throw isOfFile ? new PlainFailure(`cannot read ${file}: ${error.message}`) : error
  })
  const [fault] = replayed.malformed.first
  if (replayed.requests === 0) {
    throw new PlainFailure(`${file} holds no request${fault === undefined ? '' : `; ${fault.line}: ${fault.fault}`}`)
  }
  return { file, ...replayed, notes: notesOn(file, replayed, [deciding, now.model], untold) }
}

function notesOn(file: string, { hostless }: Replay, both: readonly Deciding[], untold: readonly string[]): string[] {
  const routes = both.flatMap(side => side.routes)
  const asks = routes.some(({ headers, query }) => headers.length + query.length > 0)
  const hosted = routes.some(({ hosts }) => hosts.length > 0)
  return [
    'Hooks were not run: what plugins and hooks of routes would answer or change was not compared, nor were bodies and limits.',
    ...(asks && !isHar(file)
      ? ["A log tells no header fields, and the gateway's own no query: they were taken to be absent."]
      : []),
    ...(hosted && hostless > 0
      ? [`${hostless} requests name no host, so that routes with one did not take them: --host HOST names it.`]
      : []),
    ...(untold.length > 0
      ? [`The running gateway does not tell what these routes ask for, so they took no request: ${untold.join(', ')}.`]
      : []),
  ]
}

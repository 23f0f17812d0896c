import type { IAsyncProperty } from 'fast-check'
import { type Rig, startRig } from '../support/rig.ts'
import { aborts, startAbortRig } from './aborts.ts'
import { mutatedRequests } from './requests.ts'
import { mutatedResponses } from './responses.ts'
import { roundTrips } from './round-trip.ts'

/** A property with the gateway that it needs. */
export interface Fuzz {
  /** Runs that take a second or two. */
  readonly runs: number
  start(): Promise<{ readonly rig: Rig; readonly property: IAsyncProperty<[unknown]> }>
}

const over = (property: (rig: Rig) => IAsyncProperty<[unknown]>) => async () => {
  const rig = await startRig()
  return { rig, property: property(rig) }
}

export const properties: Readonly<Record<string, Fuzz>> = {
  'round-trips': { runs: 400, start: over(roundTrips) },
  requests: { runs: 1_500, start: over(mutatedRequests) },
  responses: { runs: 1_200, start: over(mutatedResponses) },
  aborts: {
    runs: 10,
    start: async () => {
      const rig = await startAbortRig()
      return { rig, property: aborts(rig) }
    },
  },
}

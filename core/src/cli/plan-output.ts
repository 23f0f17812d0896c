import type { Problem } from '../config/problem.ts'
import type { ReloadPlan } from '../plan/plan-reload.ts'
import type { Replay } from '../plan/replay.ts'

/** What `gateway plan --json` prints; of a config with errors only `problems`. Fields may be added. */
export interface PlanOutput extends ReloadPlan {
  /** What the plan starts from: a file, or the config that a running gateway serves. */
  readonly before: { readonly file: string; readonly pid?: number }
  readonly after: { readonly file: string }
  /** Warnings of the new config. */
  readonly problems: readonly Problem[]
  /** With --replay. */
  readonly replay?: ReplayOutput
}

export interface ReplayOutput extends Replay {
  readonly file: string
  /** What was not compared, and why: sentences. */
  readonly notes: readonly string[]
}

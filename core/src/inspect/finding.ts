import type { LintCode } from '../config/lint-codes.ts'
import type { Model } from '../config/model.ts'
import type { Problem } from '../config/problem.ts'
import type { Sliced } from '../slices.ts'

/** What lints look at. */
export interface Linted {
  readonly model: Model
  /** As it was written, before units and defaults. */
  readonly config: unknown
  /** Text of the files that the config was written in, by path; asked for only once something has to be looked up in it. */
  sources(): ReadonlyMap<string, string>
}

export interface Finding extends Omit<Problem, 'severity'> {
  readonly code: LintCode
}

export type ReportFinding = (finding: Finding) => void

/** Reports what it finds. Changes nothing. */
export type Lint = (linted: Linted, report: ReportFinding) => Sliced<void>

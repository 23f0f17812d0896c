import { AsyncLocalStorage } from 'node:async_hooks'
import { ConfigProblems, type Problem } from '../problem.ts'

/** What a config asked its surroundings for while it was evaluated. */
export interface Readings {
  /** Environment variables with what they held; undefined: they were not set. */
  readonly variables: Map<string, string | undefined>
  readonly faults: Fault[]
}

/** Something that was asked for and is not there, or not as it has to be. */
export interface Fault {
  readonly problem: Problem
  /** Made in the call, so that its stack tells the place. */
  readonly at: Error
  /** Absolute path of the secret file that was looked for. */
  readonly file: string | undefined
}

interface Collector extends Readings {
  over: boolean
}

// Not one global: a config may wait in the midst of its evaluation while another one is evaluated.
const evaluation = new AsyncLocalStorage<Collector>()

/**
 * Evaluates a config. What it asks for and does not find is noted in `readings`, and it gets a placeholder, so that all of
 * it is reported together. Code of the config that runs later, such as a hook, is told at once.
 */
export async function collectReadings<T>(readings: Readings, evaluate: () => Promise<T>): Promise<T> {
  const collector: Collector = { ...readings, over: false }
  try {
    return await evaluation.run(collector, evaluate)
  } finally {
    collector.over = true
  }
}

function collector(): Collector | undefined {
  const current = evaluation.getStore()
  return current?.over ? undefined : current
}

/** An environment variable; undefined when it is not set or empty: `NAME=` is how compose files and CI hand on nothing. */
export function readVariable(name: string): string | undefined {
  const text = process.env[name]
  collector()?.variables.set(name, text)
  return text === '' ? undefined : text
}

export function missingVariable<T>(name: string, remedy: string, placeholder: T): T {
  const state = process.env[name] === '' ? 'empty' : 'not set'
  const message = `the environment variable ${name} is ${state}`
  return reportFault({ code: 'CONFIG_ENV_MISSING', message, hint: `export ${name}=…, or ${remedy}` }, placeholder)
}

/** @returns the placeholder @throws ConfigProblems when no config is being evaluated */
export function reportFault<T>(fault: Omit<Problem, 'severity'>, placeholder: T, file?: string): T {
  const problem: Problem = { severity: 'error', ...fault }
  const current = collector()
  if (current === undefined) throw new ConfigProblems([problem])
  current.faults.push({ problem, at: new Error(problem.message), file })
  return placeholder
}

const mark = 'gateway-unset-'

/** Stands for a text that is missing until the config is refused for it. Fit to be part of a path, a URL or a header. */
export const placeholderText = (name: string) => mark + name.replace(/[^\w-]/g, '-')
const firstNumber = 61_000

/**
 * Stands for a number. Within the bounds of ports, sizes and durations, or what stands beside it would not be checked; and
 * another one each time, since two ports must not look like one.
 */
export const placeholderNumber = () => firstNumber + (collector()?.faults.length ?? 0)

/** Whether a value that a config was refused for stands for something that is missing. */
export function isPlaceholder(value: unknown): boolean {
  if (typeof value === 'string') return value.toLowerCase().includes(mark)
  return typeof value === 'number' && value >= firstNumber && value < firstNumber + 1_000
}

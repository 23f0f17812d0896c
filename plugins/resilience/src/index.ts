export { circuitBreaker } from './circuit-breaker.ts'
export { deadline } from './deadline.ts'
export { retry } from './retry.ts'

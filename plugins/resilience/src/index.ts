export { deadline } from './deadline.ts'
export { retry } from './retry.ts'

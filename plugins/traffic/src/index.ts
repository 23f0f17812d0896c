export { faults } from './faults.ts'
export { mirror } from './mirror.ts'
export { split } from './split.ts'

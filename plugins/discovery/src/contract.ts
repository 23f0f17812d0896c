/** For whoever adds a provider: `extensions: [defineProvider({ … })]` in a plugin of one's own. */
export { defineProvider, type LeaveOut, type Provider, type Watcher } from './define-provider.ts'

import { definePlugin } from '@gateway/core'
import { dns } from './dns.ts'
import { docker } from './docker.ts'
import { file } from './file.ts'
import { fixed } from './fixed.ts'

/** Finds the targets of services that say `discover`. */
export const discovery = definePlugin({
  name: 'discovery',
  extensions: [fixed, file, dns, docker],
})

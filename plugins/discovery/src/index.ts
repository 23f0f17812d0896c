import { definePlugin } from '@gateway/core'
import { consul } from './consul.ts'
import { dns } from './dns.ts'
import { docker } from './docker.ts'
import { file } from './file.ts'
import { fixed } from './fixed.ts'
import { kubernetes } from './kubernetes.ts'

/** Finds the targets of services that say `discover`. */
export const discovery = definePlugin({
  name: 'discovery',
  extensions: [fixed, file, dns, docker, consul, kubernetes],
})

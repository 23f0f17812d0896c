import { defineExtension, targetSpec } from '@gateway/core'
import * as z from 'zod'

/** A list that does not change, for configs in which every service has a `discover`. */
export const fixed = defineExtension({
  point: 'discovery',
  name: 'static',
  options: z.strictObject({ targets: z.array(targetSpec()).min(1) }),
  create: (_host, { targets }) => ({ watch: found => found(targets) }),
})

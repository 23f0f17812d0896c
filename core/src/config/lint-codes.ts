/** What `check` finds in a config that would run, by the codes that it shows. */
export const lintCodes = [
  'CONFIG_BODY_TIMEOUT',
  'CONFIG_BUFFERED_STREAM',
  'CONFIG_ROUTE_AMBIGUOUS',
  'CONFIG_ROUTE_UNREACHABLE',
  'CONFIG_ROUTE_WITHOUT_REQUIRED',
  'CONFIG_SECRET_INLINE',
  'CONFIG_SECRET_LITERAL',
  'CONFIG_TLS_UNVERIFIED',
  'CONFIG_UNUSED_PLUGIN',
  'CONFIG_UNUSED_SERVICE',
] as const

export type LintCode = (typeof lintCodes)[number]

export type LintLevels = { readonly [Code in LintCode]?: 'off' | 'warning' | 'error' | undefined }

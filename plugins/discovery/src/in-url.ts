import { isIP } from 'node:net'

/** The host as it stands in a URL. */
export const inUrl = (host: string) => (isIP(host) === 6 ? `[${host}]` : host)

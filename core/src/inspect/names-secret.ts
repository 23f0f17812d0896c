/** Words that, at the end of a key, make its value a secret. */
const secretWords = new Set([
  'secret',
  'password',
  'passwd',
  'passphrase',
  'pwd',
  'token',
  'key',
  'apikey',
  'credential',
  'authorization',
  'cookie',
  'pat',
])

/** The word by which a key names a secret: `apiKey`, `client_secret`, `X-API-Key`; not `publicKey`, nor `maxKeys`. */
export function secretWord(key: string): string | undefined {
  const words = key
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .filter(word => word !== '')
  const [before, last = ''] = [words.at(-2), words.at(-1)]
  const word = last.replace(/s$/, '')
  return secretWords.has(word) && before !== 'public' && before !== 'max' ? word : undefined
}

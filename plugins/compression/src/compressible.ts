/** Media types whose bodies shrink; the rest, images, audio, archives, are compressed already. */
const usual =
  /^(?:text\/(?!event-stream$).+|application\/(?:json|javascript|ecmascript|x-javascript|xml|wasm|graphql|ld\+json|manifest\+json|vnd\.ms-fontobject|x-www-form-urlencoded|x-ndjson|jsonl|json-seq|yaml|toml|rtf|sql)|.+\+(?:json|xml|text|yaml)|font\/(?:ttf|otf|collection)|image\/(?:bmp|svg\+xml|x-icon|vnd\.microsoft\.icon))$/

/** Whether bodies of a media type are to be compressed: those listed, `text/*` for all of a kind; undefined: the usual ones. */
export function compressible(
  types: readonly string[] | undefined,
  streams: boolean,
): (contentType: string | undefined) => boolean {
  const listed = types?.map(type => type.toLowerCase().replace(/\*$/, ''))
  return contentType => {
    const type = contentType?.split(';', 1)[0]?.trim().toLowerCase()
    if (type === undefined) return false
    if (type === 'text/event-stream') return streams
    if (listed === undefined) return usual.test(type)
    return listed.some(known => (known.endsWith('/') ? type.startsWith(known) : type === known))
  }
}

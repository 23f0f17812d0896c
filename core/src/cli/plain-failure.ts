/** A failure that its message tells all of: no config file is there, no gateway runs. A stack would help nobody. */
export class PlainFailure extends Error {
  override readonly name = 'PlainFailure'
}

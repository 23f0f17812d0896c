/** No config file was named and none is there. */
export class NoConfigFile extends Error {
  override readonly name = 'NoConfigFile'
}

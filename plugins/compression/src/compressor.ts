import type { Duplex } from 'node:stream'
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib'
import type { Coding, Options } from './options.ts'

/** 512 KB: bounds the memory of each, and is far below the 8 MB that clients have to bear (RFC 9659). */
const windowLog = 19

/** `piecewise`: what has come goes on at once, where nobody knows when more will. */
type Make = (level: number, piecewise: boolean) => Duplex

const compressors: Readonly<Record<Coding, Make>> = {
  gzip: (level, piecewise) => createGzip({ level, flush: piecewise ? constants.Z_SYNC_FLUSH : constants.Z_NO_FLUSH }),
  br: (level, piecewise) =>
    createBrotliCompress({
      flush: piecewise ? constants.BROTLI_OPERATION_FLUSH : constants.BROTLI_OPERATION_PROCESS,
      params: { [constants.BROTLI_PARAM_QUALITY]: level, [constants.BROTLI_PARAM_LGWIN]: windowLog },
    }),
  zstd: (level, piecewise) =>
    createZstdCompress({
      flush: piecewise ? constants.ZSTD_e_flush : constants.ZSTD_e_continue,
      params: { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_windowLog]: windowLog },
    }),
}

/** A stream that compresses a body of so many bytes, -1 where only its end will tell. */
export function compressor(coding: Coding, length: number, levels: Options['levels']): Duplex {
  return compressors[coding](levels[coding], length < 0)
}

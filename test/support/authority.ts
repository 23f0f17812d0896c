import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** PEM text, and the files that hold it. */
export interface Issued {
  readonly cert: string
  readonly key: string
  readonly certFile: string
  readonly keyFile: string
}

export interface Request {
  /** Entries of subjectAltName, such as `DNS:a.test`. */
  readonly names?: readonly string[]
  /** Default: `/CN=test`. */
  readonly subject?: string
  /** Default ec. */
  readonly type?: 'ec' | 'rsa'
  /** Validity in days from now; -1 for one that has expired. Default 90. */
  readonly days?: number
}

export interface Authority extends Issued {
  issue(request?: Request): Promise<Issued>
}

const keyOptions = { ec: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'], rsa: ['-newkey', 'rsa:2048'] }

/** A certificate authority of its own. It keeps everything that it issues in the folder. */
export async function authorityIn(folder: string, name = 'Test CA'): Promise<Authority> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const read = async (base: string): Promise<Issued> => {
    const [certFile, keyFile] = [join(folder, `${base}.crt`), join(folder, `${base}.key`)]
    return { certFile, keyFile, cert: await readFile(certFile, 'utf8'), key: await readFile(keyFile, 'utf8') }
  }
  await openssl(
    'req',
    '-x509',
    ...keyOptions.ec,
    '-nodes',
    '-days',
    '90',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  )
  let count = 0
  return {
    ...(await read('ca')),
    async issue({ names = [], subject = '/CN=test', type = 'ec', days = 90 } = {}) {
      const base = String(++count)
      await openssl(
        'req',
        ...keyOptions[type],
        '-nodes',
        '-utf8',
        '-subj',
        subject,
        '-keyout',
        `${base}.key`,
        '-out',
        `${base}.csr`,
      )
      const extensions = [
        'basicConstraints=CA:FALSE',
        ...(names.length === 0 ? [] : [`subjectAltName=${names.join()}`]),
      ]
      await writeFile(join(folder, `${base}.ext`), extensions.join('\n'))
      const issuer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-extfile', `${base}.ext`]
      await openssl('x509', '-req', '-in', `${base}.csr`, ...issuer, '-days', String(days), '-out', `${base}.crt`)
      return read(base)
    },
  }
}

interface Listen {
  readonly port: number
  readonly host?: string
}

// error: TS2322: Type 'string' is not assignable to type 'number'
export const port: Listen = { port: '8080' }

export const typo: Listen = { prot: 8080 } // error: TS2353: .*'prot' does not exist in type 'Listen'

// `exactOptionalPropertyTypes`: absent and undefined are not the same.
// error: TS2375: .*exactOptionalPropertyTypes
export const absent: Listen = { port: 8080, host: undefined }

// `noUncheckedIndexedAccess`
// error: TS2322: Type 'string \| undefined'
export const first: string = 'a b'.split(' ')[0]

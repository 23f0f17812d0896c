import { expect, test } from 'vitest'
import { keysInJson } from '../src/jwt/keys.ts'
import { tempFile, verifier } from './support.ts'

// Values of RFC 7515 appendix A and RFC 7520 sections 3 and 4; line breaks are the RFCs'.
const joined = (...lines: string[]) => lines.join('')

const claims = 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
/** The exp of that is 1300819380. */
const before = () => 1_300_819_379_000
const after = () => 1_300_819_380_000

const hmac = {
  kty: 'oct',
  k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
}
const rsa = {
  kty: 'RSA',
  n: joined(
    'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pC',
    'gNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg6',
    '65xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRW',
    'yuXpoQ',
  ),
  e: 'AQAB',
}
const p256 = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const p521 = {
  kty: 'EC',
  crv: 'P-521',
  x: 'AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk',
  y: 'ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2',
}
const ed25519 = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

const jwts: Record<string, [key: object, algorithm: string, token: string]> = {
  'RFC 7515 A.1 and RFC 7519 3.1': [
    hmac,
    'HS256',
    `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${claims}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
  ],
  'RFC 7515 A.2': [
    rsa,
    'RS256',
    joined(
      `eyJhbGciOiJSUzI1NiJ9.${claims}.`,
      'cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t',
      '1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12j',
      'zDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQ',
      'Ge77Rw',
    ),
  ],
  'RFC 7515 A.3': [
    p256,
    'ES256',
    `eyJhbGciOiJFUzI1NiJ9.${claims}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
  ],
}

const verifierFor = (key: object, algorithm: string, now: () => number) =>
  verifier(
    {
      // A symmetric key has no place in a config.
      ...('k' in key ? { keyFiles: tempFile(JSON.stringify(key)) } : { keys: { ...key } }),
      algorithms: [algorithm] as never,
      subjectClaim: 'iss',
      clockTolerance: 0,
    },
    now,
  )

test.each(Object.entries(jwts))('%s is accepted, until it expires', async (_name, [key, algorithm, token]) => {
  const verify = verifierFor(key, algorithm, before)
  expect(await verify(token)).toBe('joe')
  // Once more, from memory.
  expect(await verify(token)).toBe('joe')
  expect(await verifierFor(key, algorithm, after)(token)).toBe('401 "exp" claim timestamp check failed')
  expect(await verify(spoilt(token))).toBe('401 no key fits its signature')
})

/** The second character of the signature is another one: the first and last bits stay canonical. */
function spoilt(token: string): string {
  const at = token.lastIndexOf('.') + 2
  return token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1)
}

const frodo = joined(
  'SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlm',
  'IHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4',
)
const bilbo = { kid: 'bilbo.baggins@hobbiton.example', use: 'sig' }
const cookbookRsa = {
  ...bilbo,
  kty: 'RSA',
  n: joined(
    'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwG',
    'U_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3u',
    'hGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHd',
    'rNP5zw',
  ),
  e: 'AQAB',
}
const cookbookEc = {
  ...bilbo,
  kty: 'EC',
  crv: 'P-521',
  x: 'AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt',
  y: 'AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1',
}
const cookbookMac = {
  kty: 'oct',
  kid: '018c0ae5-4d9b-471b-bfd6-eef314bc7037',
  use: 'sig',
  alg: 'HS256',
  k: 'hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg',
}

/** Good signatures of what is no set of claims, so that no gateway may take them for a caller. */
const otherPayloads: Record<string, [key: object, algorithm: string, token: string]> = {
  'RFC 7515 A.4': [
    p521,
    'ES512',
    joined(
      'eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO',
      '0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn',
    ),
  ],
  'RFC 8037 A.4': [
    ed25519,
    'EdDSA',
    'eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg',
  ],
  'RFC 7520 4.1': [
    cookbookRsa,
    'RS256',
    joined(
      `eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}.`,
      'MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA',
      '78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQ',
      'dLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18',
      'kDquDg',
    ),
  ],
  'RFC 7520 4.2': [
    cookbookRsa,
    'PS384',
    joined(
      `eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}.`,
      'cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcb',
      'UrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8I',
      'mUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-',
      'X72Eaw',
    ),
  ],
  'RFC 7520 4.3': [
    cookbookEc,
    'ES512',
    joined(
      `eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${frodo}.`,
      'AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxX',
      'Pn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2',
    ),
  ],
  'RFC 7520 4.4': [
    cookbookMac,
    'HS256',
    joined(
      `eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9.${frodo}.`,
      's0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0',
    ),
  ],
}

test.each(Object.entries(otherPayloads))(
  '%s: the signature holds, the payload is no claims',
  async (_name, [key, algorithm, token]) => {
    const verify = verifierFor(key, algorithm, before)
    expect(await verify(token)).toMatch(/^401 JWT Claims Set must/)
    expect(await verify(spoilt(token))).toBe('401 no key fits its signature')
  },
)

test.each([
  ['RFC 7515 A.5 and RFC 7519 6.1, unsecured', `eyJhbGciOiJub25lIn0.${claims}.`],
  [
    'RFC 7519 A.1, encrypted',
    'eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8.AxY8DCtDaGlsbGljb3RoZQ.MKOle7UQrG6nSxTLX6Mqwt0o.fiK51VwhsxJ-siBMR-YFiA',
  ],
])('%s is refused', async (_name, token) => {
  expect(await verifierFor(rsa, 'RS256', before)(token)).toBe('401 it is not three parts of base64url')
})

test('RFC 7517: of its sets, those keys are of use that verify signatures', () => {
  const publicSet = {
    keys: [
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
        y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
        use: 'enc',
        kid: '1',
      },
      {
        kty: 'RSA',
        n: joined(
          '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3',
          'oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA',
          'ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-',
          'kEgU8awapJzKnqDKgw',
        ),
        e: 'AQAB',
        alg: 'RS256',
        kid: '2011-04-29',
      },
    ],
  }
  const { keys, faults } = keysInJson(publicSet, { symmetric: false })
  expect(keys.map(({ id, algorithms }) => [id, algorithms])).toEqual([['2011-04-29', ['RS256']]])
  expect(faults).toEqual(['key "1" is not for signatures'])

  const symmetricSet = {
    keys: [
      { kty: 'oct', alg: 'A128KW', k: 'GawgguFyGrWKav7AX4VKUg' },
      { ...hmac, kid: 'HMAC key used in JWS spec Appendix A.1 example' },
    ],
  }
  expect(keysInJson(symmetricSet, { symmetric: true })).toMatchObject({
    keys: [{ id: 'HMAC key used in JWS spec Appendix A.1 example', algorithms: ['HS256', 'HS384', 'HS512'] }],
    faults: [expect.stringContaining('key 1 has 16 bytes')],
  })
  expect(keysInJson(symmetricSet, { symmetric: false }).keys).toEqual([])
})

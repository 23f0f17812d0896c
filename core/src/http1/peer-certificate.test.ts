import { X509Certificate } from 'node:crypto'
import { expect, test } from 'vitest'
import { createAuthority } from '../../../test/support/certificates.ts'
import { alternativeNames, describeCertificate } from './peer-certificate.ts'

const authority = await createAuthority('Root')

test('a name as RFC 4514 writes it: nothing inside a value can pass for another part', async () => {
  const { cert } = await authority.issue({ subject: '/C=NL/O=Ex\\, Inc+OU=a \\+ b/OU=x\\/CN=admin/CN=Zoë ' })
  expect(describeCertificate(new X509Certificate(cert))).toMatchObject({
    subject: 'CN=Zoë\\ ,OU=x/CN=admin,OU=a \\+ b+O=Ex\\, Inc,C=NL',
    issuer: 'CN=Root',
  })
})

test('what else is told', async () => {
  const { cert } = await authority.issue({
    names: ['DNS:a.test', 'URI:spiffe://test/a', 'email:a@b.test', 'IP:10.0.0.1'],
  })
  const x509 = new X509Certificate(cert)
  expect(describeCertificate(x509)).toEqual({
    subject: 'CN=test',
    issuer: 'CN=Root',
    subjectAltName: ['DNS:a.test', 'URI:spiffe://test/a', 'email:a@b.test', 'IP Address:10.0.0.1'],
    fingerprint256: expect.stringMatching(/^([\dA-F]{2}:){31}[\dA-F]{2}$/),
    serialNumber: expect.stringMatching(/^[\dA-F]+$/),
    validTo: new Date(x509.validTo),
  })
})

test('without a subjectAltName there is none', async () => {
  const { cert } = await authority.issue()
  expect(alternativeNames(new X509Certificate(cert))).toEqual([])
})

test.each([
  ['DNS:a.test, DNS:b.test', ['DNS:a.test', 'DNS:b.test']],
  ['DNS:"a.test, DNS:admin.test", DNS:b.test', ['DNS:a.test, DNS:admin.test', 'DNS:b.test']],
  ['URI:"http://a/\\", DNS:admin.test"', ['URI:http://a/", DNS:admin.test']],
  ['DirName:"CN = a,O = b", othername:<unsupported>', ['DirName:CN = a,O = b', 'othername:<unsupported>']],
  ['IP Address:0:0:0:0:0:0:0:1', ['IP Address:0:0:0:0:0:0:0:1']],
])('the entries of %j', (subjectAltName, entries) => {
  expect(alternativeNames({ subjectAltName } as X509Certificate)).toEqual(entries)
})

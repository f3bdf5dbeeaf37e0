import { generateKeyPairSync } from 'node:crypto';
import type { DKIMSignOptions } from 'mailauth';
import { dkimSign } from 'mailauth/lib/dkim/sign.js';
import type { Lookup } from '../../node/access/bounded-dns.ts';

/** TXT records by name; those that begin with `!` are the code of the error that asking for them ends with. */
export type Zone = Readonly<Record<string, string>>;

/** A DNS of these TXT records; `asked` are the names that were asked for. */
export function zoneLookup(zone: Zone): Lookup & { readonly asked: string[] } {
  const asked: string[] = [];
  const lookup: Lookup = async (name, type) => {
    asked.push(name.toLowerCase());
    const record = type === 'TXT' ? zone[name.toLowerCase()] : undefined;
    const code = record === undefined ? 'ENOTFOUND' : record.startsWith('!') ? record.slice(1) : null;
    if (code !== null) throw Object.assign(new Error(`${code} ${name}`), { code });
    return [[record ?? '']];
  };
  return Object.assign(lookup, { asked });
}

/** Who signs mails of a domain, and what its DNS says of it. */
export interface Signer {
  readonly domain: string;
  /** The TXT record of its key. */
  readonly records: Zone;
  /** The mail with its signature on top. `fields` are those that are signed, in place of the usual ones. */
  sign(mail: string, more?: { fields?: readonly string[]; maxBodyLength?: number }): Promise<string>;
}

export function createSigner(domain: string, selector = 'parelha'): Signer {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = publicKey.export({ type: 'spki', format: 'der' }).toString('base64');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
  return {
    domain,
    records: { [`${selector}._domainkey.${domain}`]: `v=DKIM1; k=rsa; p=${key}` },
    sign: async (mail, { fields, maxBodyLength } = {}) => {
      const limit = maxBodyLength === undefined ? {} : { maxBodyLength };
      const options = {
        canonicalization: 'relaxed/relaxed',
        ...(fields === undefined ? {} : { headerList: fields.join(':') }),
        signatureData: [{ signingDomain: domain, selector, privateKey: pem, ...limit }],
      };
      // Its types ask for the key beside `signatureData`, the program for it therein.
      const { signatures, errors } = await dkimSign(mail, options as unknown as DKIMSignOptions);
      if (errors.length > 0) throw new Error(`not signed: ${JSON.stringify(errors)}`);
      return `${signatures}${mail}`;
    },
  };
}

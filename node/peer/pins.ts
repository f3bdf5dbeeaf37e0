import { createHash, X509Certificate } from 'node:crypto';
import type { Fingerprint, PeerTrust } from './credentials.ts';

/** SHA-256 of a certificate's DER. @throws where a text is no PEM certificate */
export function fingerprintOf(certificate: X509Certificate | string): Fingerprint {
  const { raw } = typeof certificate === 'string' ? new X509Certificate(certificate) : certificate;
  return createHash('sha256').update(raw).digest('hex');
}

/**
 * The certificates that a connection with the peer may show: exactly these. Neither their dates nor who signed them
 * count, as with an SSH host key: the two were told each other's when they were paired, and `pair remove` ends it.
 */
export function pinsOf(trust: PeerTrust | null): ReadonlySet<Fingerprint> {
  return new Set(trust?.certificates.map(fingerprintOf));
}

import type { KeyObject } from 'node:crypto';

/** A key with which this node signs, by its id (RFC 7517 section 4.5). */
export interface SigningKey {
  readonly kid: string;
  /** Ed25519 (RFC 8037). */
  readonly privateKey: KeyObject;
}

/** What this node shows of itself. */
export interface OwnCredentials {
  /** PEM. */
  readonly certificate: string;
  readonly certificateKey: string;
  readonly tokenKey: SigningKey;
}

/** What this node trusts of its peer: exactly this. */
export interface PeerTrust {
  readonly peerId: string;
  /** PEM; two while the peer changes its certificate. */
  readonly certificates: readonly string[];
  /** Ed25519 public keys by `kid`; two while the peer changes its key. */
  readonly tokenKeys: ReadonlyMap<string, KeyObject>;
  /** Of the peer's sshd, as `type base64`. */
  readonly sshHostKeys: readonly string[];
  readonly sshUser: string;
  readonly queueDir: string;
}

/** Keys and certificates on disk, as they are now: pairing and rotation change them while the node runs. */
export interface Credentials {
  own(): OwnCredentials;
  /** Null before the two are paired, and after `pair remove`. */
  peer(): PeerTrust | null;
  /** Told after each change. */
  onChange(listener: () => void): void;
}

/** SHA-256 of a certificate's DER, in lower-case hexadecimal without colons: how certificates are pinned. */
export type Fingerprint = string;

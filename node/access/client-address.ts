import { BlockList, isIP } from 'node:net';
import { headerFields, headerOf } from '../mail/header-fields.ts';

/** Where a mail came from, as the server says that took it in. */
export interface Envelope {
  readonly clientIp: string;
  readonly helo: string;
  /** Of MAIL FROM. */
  readonly sender: string;
}

/**
 * What the receiving server puts first in a Received field (RFC 5321 section 4.4, as Postfix, sendmail, Exim and
 * others write it): the name that the client gave itself, then in parentheses what the server found out. Up to `by`
 * there is nothing else but comments on encryption and login, so that no name that a client makes up can pass for it.
 */
const HELO = String.raw`(?<helo>[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{3,45}\]|\[IPv6:[0-9A-Fa-f:.]{2,45}\])`;
const ADDRESS = String.raw`\[(?:IPv6:)?(?<ip>[0-9A-Fa-f:.]{3,45})\](?::\d{1,5})?`;
const FOUND = String.raw`\((?:[A-Za-z0-9._-]{1,255} )?${ADDRESS}(?: helo=[A-Za-z0-9._-]{1,255})?\)`;
const COMMENTS = String.raw`(?: \((?:[^()[\]]|\([^()[\]]*\)){0,300}\)){0,5}`;
const RECEIVED = new RegExp(
  String.raw`^from ${HELO} ${FOUND}${COMMENTS} by (?<rest>[A-Za-z0-9.-]{1,255}\b.*)$`,
);
const RETURN_PATH = /^<?(?<sender>[^\s<>()[\]\\,;:"]{1,64}@[A-Za-z0-9.-]{1,255})>?$/;
const MAX_LENGTH = 2_000;

/** Hosts of one's own: what a relay inside says of a mail is not where it came from. A list each, since one for both takes an IPv4 address for `::ffff:…` too. */
const INSIDE = {
  ipv4: subnets('ipv4', [
    ['0.0.0.0', 8],
    ['10.0.0.0', 8],
    ['100.64.0.0', 10],
    ['127.0.0.0', 8],
    ['169.254.0.0', 16],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['224.0.0.0', 3],
  ]),
  ipv6: subnets('ipv6', [
    ['::', 8],
    ['64:ff9b::', 96],
    ['fc00::', 7],
    ['fe80::', 10],
    ['ff00::', 8],
  ]),
} as const;

/**
 * Where a mail came from; null where that is not beyond doubt. Only what the receiving server writes on top counts: the
 * topmost Received field, where it names one address from outside and nothing that could be another, and one
 * Return-Path above it. All below may be the sender's own writing.
 */
export function envelopeOf(raw: Buffer): Envelope | null {
  const fields = headerFields(headerOf(raw));
  const top = fields.findIndex(({ name }) => name === 'received');
  const received = fields[top]?.value.replaceAll(/\s+/g, ' ').trim();
  if (received === undefined || received.length > MAX_LENGTH) return null;
  const paths = fields.slice(0, top).filter(({ name }) => name === 'return-path');
  const sender = RETURN_PATH.exec(paths[0]?.value.trim() ?? '')?.groups?.['sender'];
  const { helo = '', ip = '', rest = '' } = RECEIVED.exec(received)?.groups ?? {};
  if (sender === undefined || paths.length !== 1) return null;
  // A client that named itself with blanks and brackets would leave a second address or `by` behind.
  if (/[[\]]| by | from /i.test(rest)) return null;
  const version = isIP(ip);
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (version === 0 || INSIDE[family].check(ip, family)) return null;
  if (helo.startsWith('[') && helo !== `[${ip}]` && helo !== `[IPv6:${ip}]`) return null;
  return { clientIp: ip, helo, sender: sender.toLowerCase() };
}

function subnets(family: 'ipv4' | 'ipv6', nets: readonly (readonly [string, number])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix] of nets) list.addSubnet(net, prefix, family);
  return list;
}

import { BlockList, isIP, isIPv4, isIPv6, SocketAddress } from 'node:net';

/** Why a text is not one public address; each has a sentence of its own. */
export type IpRefusal =
  | 'ip-private'
  | 'ip-loopback'
  | 'ip-link-local'
  | 'ip-multicast'
  | 'ip-cgnat'
  | 'ip-unspecified'
  | 'ip-reserved'
  | 'ip-mapped'
  | 'ip-network'
  | 'ip-nonsense';

export type IpReading =
  | { readonly ok: true; readonly ip: string }
  | { readonly ok: false; readonly code: IpRefusal };

/** More than the longest way to write one, with a scope or a mask. */
const MAX_LENGTH = 60;

/**
 * What nobody on the internet has, by the registries of RFC 6890 (IANA special-purpose addresses); the first kind that
 * fits counts. The documentation ranges (RFC 5737, RFC 3849) are let through: nobody has them, and examples use them.
 */
const RANGES: readonly (readonly [IpRefusal, readonly string[]])[] = [
  ['ip-unspecified', ['0.0.0.0/8', '::/128']],
  ['ip-loopback', ['127.0.0.0/8', '::1/128']],
  ['ip-private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']],
  ['ip-link-local', ['169.254.0.0/16', 'fe80::/10', 'fec0::/10']],
  ['ip-multicast', ['224.0.0.0/4', 'ff00::/8']],
  ['ip-cgnat', ['100.64.0.0/10']],
  // Behind each stands an IPv4 address, which is what fail2ban would have: mapped, compatible, NAT64.
  ['ip-mapped', ['::ffff:0:0/96', '::/96', '64:ff9b::/96', '64:ff9b:1::/48']],
  // IETF assignments, the old 6to4 relay, benchmarks, the future and the broadcast; discard-only, Teredo, ORCHID, 6to4.
  [
    'ip-reserved',
    [
      '192.0.0.0/24',
      '192.88.99.0/24',
      '198.18.0.0/15',
      '240.0.0.0/4',
      '100::/64',
      '2001::/32',
      '2001:10::/28',
      '2001:20::/28',
      '2002::/16',
    ],
  ],
];

/** RFC 4291 section 2.4, and what IANA has given out since: all global unicast addresses begin so. */
const GLOBAL_UNICAST = listOf(['2000::/3']);
/** A list of IPv4 ranges would take a mapped IPv6 address for the one in it, so each family has its own. */
const SPECIAL = RANGES.flatMap(([code, ranges]) =>
  (['ipv4', 'ipv6'] as const).map((family) => ({
    ...{ code, family },
    list: listOf(ranges.filter((range) => familyOf(range.slice(0, range.indexOf('/'))) === family)),
  })),
);

/**
 * One public IPv4 or IPv6 address in the one way of writing that fail2ban compares it in: dotted decimal without leading
 * zeros, or as RFC 5952 has it. Pure; linear in the length.
 */
export function readIp(text: string): IpReading {
  const trimmed = text.trim();
  const refuse = (code: IpRefusal): IpReading => ({ ok: false, code });
  if (trimmed.length > MAX_LENGTH) return refuse('ip-nonsense');
  const [, address = '', mask] = /^([^/]*)(\/.*)?$/s.exec(withoutBrackets(trimmed)) ?? [];
  const ip = canonicalIp(address);
  if (ip === null) return refuse('ip-nonsense');
  if (mask !== undefined) return refuse('ip-network');
  const family = familyOf(ip);
  const special = SPECIAL.find((one) => one.family === family && one.list.check(ip, family));
  if (special !== undefined) return refuse(special.code);
  if (family === 'ipv6' && !GLOBAL_UNICAST.check(ip, family)) return refuse('ip-reserved');
  return { ok: true, ip };
}

/** An address, public or not, in its one way of writing; null where the text is none. */
export function canonicalIp(text: string): string | null {
  // A scope (`fe80::1%eth0`) names an interface of one host.
  if (isIP(text) === 0 || text.includes('%')) return null;
  if (isIPv4(text)) return text;
  const { address } = new SocketAddress({ address: text, family: 'ipv6' });
  return address;
}

/** Whether an entry of an ignore list (an address, or a network as `198.51.100.0/24`) holds an address. */
export function covers(entry: string, ip: string): boolean {
  const [address = '', mask] = entry.split('/');
  if (isIP(address) === 0 || isIPv6(address) !== isIPv6(ip)) return false; // a host name says nothing here
  if (mask === undefined) return canonicalIp(address) === ip;
  const bits = Number(mask);
  if (!/^\d{1,3}$/.test(mask) || bits > (isIPv6(address) ? 128 : 32)) return false;
  return listOf([entry]).check(ip, familyOf(ip));
}

function familyOf(ip: string): 'ipv4' | 'ipv6' {
  return isIPv6(ip) ? 'ipv6' : 'ipv4';
}

/** As links and the logs of some phones have an IPv6 address. */
function withoutBrackets(text: string): string {
  return text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text;
}

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = '', prefix = ''] = range.split('/');
    list.addSubnet(address, Number(prefix), familyOf(address));
  }
  return list;
}

const BYTE_PAIRS = /^(?:[0-9a-f]{2}){6}$/i;

/** A MAC as it stands on the label of a phone; `nenhum` where there is none. */
export function shownMac(mac: string | null): string {
  if (mac === null) return 'nenhum';
  return BYTE_PAIRS.test(mac) ? (mac.toUpperCase().match(/../g)?.join(':') ?? mac) : mac;
}

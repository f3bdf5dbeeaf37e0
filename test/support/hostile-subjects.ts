import { RANGE } from './faulty-subjects.ts';

/** An address that fail2ban may be asked about. */
const IP = '203.0.113.9';
const HUGE = 20_000;

/** What would make a file, were it ever read by a shell. */
const shell = (canary: string): string[] => [
  `$(touch ${canary})`,
  `\`touch ${canary}\``,
  `; touch ${canary}`,
  `;touch\${IFS}${canary};`,
  `| touch ${canary}`,
  `|| touch ${canary} #`,
  `&& touch ${canary}`,
  `& touch ${canary} &`,
  `'; touch ${canary}; '`,
  `" ; touch ${canary} ; "`,
  `\\'; touch ${canary}; \\'`,
  `$'\\x3btouch\\x20${canary}'`,
  `\n touch ${canary}\n`,
  `\r\ntouch ${canary}\r\n`,
  `> ${canary}`,
  `<(touch ${canary})`,
  `\${PATH:+$(touch ${canary})}`,
  `eval touch ${canary}`,
  `sh -c touch\\ ${canary}`,
  `＄（touch ${canary}）`,
  `；touch ${canary}`,
  `-oProxyCommand=touch ${canary}`,
];

/** What other readers might take for more than text: options, paths, patterns, headers, HTML, formulas. */
const OTHERS: readonly string[] = [
  ...['--help', '-h', '--all', 'unban --all', '*', '?', '~root', '!!', '%s%n%s', '{mac}', '{ramal}'],
  ...[
    '../../etc/passwd',
    '/etc/fail2ban/jail.d/../jail.conf',
    '..%2f..%2fetc',
    'a/../../b',
    '//server/share',
  ],
  ...['.*', '(a+)+$', '[', '(?<=a)', '^$', String.raw`\d{1,99999}`, String.raw`\u0000`],
  ...['x\r\nBcc: intruso@example.test', 'x\nX-Parelha-Loop: audio', '=?utf-8?Q?=0D=0ABcc:_a@example.test?='],
  ...['<script>alert(1)</script>', '"><img src=x onerror=alert(1)>', '&lt;b&gt;', "' onmouseover='x"],
  ...['=HYPERLINK("http://x.example.test")', "=cmd|' /C calc'!A0", '@SUM(1+1)', '+1+1', '-1+1'],
  ...['\u0000', 'x\u0000y', '\u001b[31m', '\u202e9.311.0.302', '\u200b\u2060\ufeff', '\ud800', '\u{1F4A9}'],
  ...['２０３．０．１１３．９', '٢٠٣.٠.١١٣.٩', '2О3.0.113.9', 'ꓚHECKIP', 'é\u0301\u0301\u0301'],
  ...['0x7f.1', '2130706433', '0177.0.0.1', '127.1', '::ffff:203.0.113.9', 'fe80::1%eth0', '203.0.113.9/0'],
  ...['1;DROP TABLE jobs', "' OR '1'='1", '${jndi:ldap://x.example.test}', '{{7*7}}', '<%= 7*7 %>'],
];

/** Where in a subject it may stand. */
const PLACES: readonly ((payload: string) => string)[] = [
  (payload) => `CHECKIP=${payload}`,
  (payload) => `CHECKIP=${IP}${payload}`,
  (payload) => `CHECKIP=${IP} SERVER=${payload}`,
  (payload) => `CHECKIP=${IP} SERVER=gv1p${payload}`,
  (payload) => `CHECKIP=${IP} MODO=${payload}`,
  (payload) => `MACCHANGE=${payload} MACATUAL=010203040506 MACFUTURO=000413000001 SERVER=gv1p`,
  (payload) => `MACCHANGE=3010 MACATUAL=${payload} MACFUTURO=000413000001 SERVER=gv1p`,
  (payload) => `MACCHANGE=3010 MACATUAL= MACFUTURO=${payload} SERVER=gv1p`,
  (payload) => `MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO= SERVER=${payload}`,
  (payload) => `RAMAIS=${payload} ${RANGE}`,
  (payload) => `RAMAIS=1121 SERVER=${payload} ${RANGE}`,
  (payload) => `RAMAIS=1121 INICIO=${payload} FIM=28/10/2025`,
  (payload) => `WHITELIST ADD ${payload}`,
  (payload) => `WHITELIST REMOVE ${payload}@example.test`,
  (payload) => `CANCELAR=${payload}`,
  (payload) => `REENVIAR=${payload}`,
  (payload) => `${payload} STATUS`,
  (payload) => payload,
];

/**
 * So many subjects that mean harm, each another: every payload at several places, and every place with many. `canary` is
 * the path of a file that is there as soon as one of them reaches a shell.
 */
export function hostileSubjects(canary: string, count: number): string[] {
  const payloads = [...shell(canary), ...OTHERS, 'A'.repeat(HUGE), '9'.repeat(HUGE), '[['.repeat(300)];
  const subjects = new Set<string>();
  for (let round = 0; subjects.size < count && round < PLACES.length; round += 1) {
    for (const [at, payload] of payloads.entries()) {
      const place = PLACES[(at + round) % PLACES.length];
      if (subjects.size < count) subjects.add(place?.(payload) ?? payload);
    }
  }
  if (subjects.size < count) throw new Error(`only ${subjects.size} subjects can be made`);
  return [...subjects];
}

import { checkIpMail } from '../../../node/replies/checkip.ts';
import type { CheckIpView, MacChangeView } from '../../../node/replies/command-views.ts';
import { macChangeMail } from '../../../node/replies/macchange.ts';
import type { ReplyMail } from '../../../node/replies/views.ts';
import type { ServerReport } from '../../../node/servers/bans.ts';
import type { MacReport } from '../../../node/servers/mac-phones.ts';

const JOB_ID = '7c02e91ad45b88f1c3aa'.padEnd(64, '0');
const AT = '2025-10-28T18:04:00Z';
const ASKED = { requester: 'pessoa@example.com', jobId: JOB_ID, timeZone: 'America/Sao_Paulo' };

export const RELEASED: ServerReport = {
  serverId: 'gv1p',
  serverName: 'Matriz',
  state: 'released',
  jails: [
    { jail: 'sshd', since: '2025-10-28T14:10:12Z', until: '2025-10-29T14:10:12Z' },
    { jail: 'asterisk', since: '2025-10-28T17:52:40Z', until: null },
  ],
  ignored: 'now',
  ignoredUntil: '2025-11-27T18:04:00Z',
  lines: [
    '2025-10-28 14:52:38 NOTICE[2114] chan_pjsip: Request from "3010" failed for 203.0.113.9:5060 - Wrong password',
    '2025-10-28 14:52:40 fail2ban.actions [811]: NOTICE [asterisk] Ban 203.0.113.9',
  ],
  problem: null,
  at: AT,
};

export const FREE: ServerReport = {
  ...RELEASED,
  serverId: 'gv2p',
  serverName: 'gv2p',
  state: 'free',
  jails: [],
  lines: [],
};

export const AWAY: ServerReport = {
  serverId: 'voip1',
  serverName: 'Filial Campinas',
  state: 'unchecked',
  jails: [],
  ignored: 'unknown',
  ignoredUntil: null,
  lines: [],
  problem: {
    code: 'server.unreachable',
    message: 'voip1 (198.51.100.7:22): connect ECONNREFUSED',
  },
  at: AT,
};

const HOST_KEY: ServerReport = {
  ...AWAY,
  serverId: 'voip2',
  serverName: 'Filial Santos',
  problem: {
    code: 'server.host-key',
    message:
      'voip2 shows the host key SHA256:JqYm6Kk1m2zO0bXo3sT8l9yQeWcRvB5nH7uD4fA1gZE, which is not trusted: add "host_key": "SHA256:JqYm6Kk1m2zO0bXo3sT8l9yQeWcRvB5nH7uD4fA1gZE" to it in servers.json or run: node-ctl server trust voip2',
  },
};

export const PARTLY: ServerReport = {
  ...RELEASED,
  state: 'partly',
  ignoredUntil: null,
  lines: [],
  problem: { code: 'fail2ban.not-kept', message: 'fail2ban-client --test finds an error with the file' },
};

export function checkIpView(servers: readonly ServerReport[], more: Partial<CheckIpView> = {}): CheckIpView {
  return {
    ...ASKED,
    subject: 'CHECKIP=203.0.113.9',
    ip: '203.0.113.9',
    lookOnly: false,
    servers,
    retryUntil: null,
    followUp: false,
    ...more,
  };
}

const DEFINITIONS = ['/opt/gv2p/__ENDPOINTS__.DEF', '/opt/gv2p/endpoints_sip.def'] as const;
const BACKUP = '/var/backups/parelha/2025-10-28_150400_7c02e91ad45b';

export const CHANGED: MacReport = {
  state: 'changed',
  files: [
    {
      path: DEFINITIONS[0],
      before: '010203040506',
      after: '010203040599',
      backup: `${BACKUP}/1`,
    },
    {
      path: DEFINITIONS[1],
      before: '010203040506',
      after: '010203040599',
      backup: `${BACKUP}/2`,
    },
    {
      path: '/srv/tftp/cfg010203040506.xml',
      before: '010203040506',
      after: '010203040599',
      backup: `${BACKUP}/3`,
    },
  ],
  duplicates: [],
  refusal: null,
  warnings: [],
  backup: BACKUP,
};

/** Another extension has the MAC, and the phones were not told. */
export const MAC_TROUBLE: Pick<MacReport, 'duplicates' | 'warnings' | 'refusal'> = {
  duplicates: [
    { path: DEFINITIONS[0], extension: '3044' },
    { path: DEFINITIONS[1], extension: '3044' },
  ],
  warnings: [{ code: 'notify-failed', message: '/usr/local/bin/reload-phones: exit status 1' }],
  refusal: { code: 'mac-differs', message: 'has another MAC' },
};

export function macView(report: MacReport, more: Partial<MacChangeView> = {}): MacChangeView {
  return {
    ...ASKED,
    subject: 'MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO=010203040599 SERVER=gv2p',
    request: { extension: '3010', from: '010203040506', to: '010203040599' },
    serverId: 'gv2p',
    serverName: 'Matriz',
    report,
    makers: { from: 'Yealink (Xiamen) Network Technology', to: 'Grandstream Networks, Inc.' },
    sending: { mailbox: 'pedidos@example.com', tokenRequired: false },
    ...more,
  };
}

/** The definition files left as they are, saying this. */
function left(...macs: readonly (string | null)[]): MacReport['files'] {
  return DEFINITIONS.map((path, index) => ({
    path,
    before: macs[index] ?? null,
    after: macs[index] ?? null,
    backup: null,
  }));
}

function refused(code: string, message: string, files: MacReport['files']): MacReport {
  return { ...CHANGED, state: 'refused', files, refusal: { code, message }, backup: null };
}

/** One mail of each kind about servers, as people get them. */
export function serverSamples(): Record<string, ReplyMail> {
  const retryUntil = Temporal.Instant.from('2025-10-28T19:04:00Z');
  const removal = { extension: '3010', from: '010203040599', to: null };
  const addition = { extension: '3010', from: null, to: '010203040588' };
  return {
    checkip: checkIpMail(checkIpView([RELEASED, FREE, AWAY], { retryUntil })),
    'checkip-released': checkIpMail(checkIpView([RELEASED])),
    'checkip-free': checkIpMail(
      checkIpView([
        { ...FREE, ignored: 'before' },
        { ...FREE, serverId: 'gv3p' },
      ]),
    ),
    'checkip-partly': checkIpMail(checkIpView([PARTLY, FREE])),
    'checkip-unchecked': checkIpMail(checkIpView([AWAY, HOST_KEY], { retryUntil })),
    'checkip-look': checkIpMail(
      checkIpView(
        [
          { ...RELEASED, state: 'banned', ignored: 'no', ignoredUntil: null },
          { ...FREE, ignored: 'no', ignoredUntil: null },
        ],
        { subject: 'CHECKIP=203.0.113.9 MODO=VER', lookOnly: true },
      ),
    ),
    'checkip-followup': checkIpMail(
      checkIpView([{ ...RELEASED, serverId: 'voip1', serverName: 'Filial Campinas' }, HOST_KEY], {
        followUp: true,
      }),
    ),
    macchange: macChangeMail(macView(CHANGED)),
    'macchange-warnings': macChangeMail(
      macView(
        {
          ...CHANGED,
          ...MAC_TROUBLE,
          refusal: null,
        },
        { makers: { from: 'Yealink (Xiamen) Network Technology', to: null } },
      ),
    ),
    'macchange-removed': macChangeMail(
      macView(
        {
          ...CHANGED,
          files: CHANGED.files.slice(0, 2).map((file) => ({ ...file, before: '010203040599', after: null })),
        },
        {
          request: removal,
          makers: { from: null },
          subject: 'MACCHANGE=3010 MACATUAL=010203040599 MACFUTURO= SERVER=gv2p',
        },
      ),
    ),
    'macchange-added': macChangeMail(
      macView(
        {
          ...CHANGED,
          files: CHANGED.files.slice(0, 2).map((file) => ({ ...file, before: null, after: '010203040588' })),
        },
        {
          request: addition,
          makers: { to: 'Intelbras' },
          subject: 'MACCHANGE=3010 MACATUAL= MACFUTURO=010203040588 SERVER=gv2p',
        },
      ),
    ),
    'macchange-already': macChangeMail(
      macView({ ...CHANGED, state: 'already', files: left('010203040599', '010203040599'), backup: null }),
    ),
    'macchange-differs': macChangeMail(
      macView(
        refused('mac-differs', '/opt/gv2p/__ENDPOINTS__.DEF has another MAC', left('0102030405aa', null)),
      ),
    ),
    'macchange-corrected': macChangeMail(
      macView(refused('mac-differs', 'has another MAC', left('0102030405AA', '01:02:03:04:05:aa'))),
    ),
    'macchange-missing': macChangeMail(
      macView(
        refused(
          'extension-missing',
          '/opt/gv2p/endpoints_sip.def has no record of 3010',
          left('010203040506', null),
        ),
      ),
    ),
  };
}

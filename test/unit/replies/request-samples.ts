import type {
  AskedJobView,
  HelpView,
  JobActionView,
  PersonView,
  QueueView,
  StatusView,
  WhitelistView,
} from '../../../node/replies/command-views.ts';
import { digestMail } from '../../../node/replies/digest.ts';
import { helpMail } from '../../../node/replies/help.ts';
import { jobActionMail } from '../../../node/replies/job-action.ts';
import { queueMail } from '../../../node/replies/queue.ts';
import { statusMail } from '../../../node/replies/status.ts';
import type { ReplyMail } from '../../../node/replies/views.ts';
import { whitelistMail } from '../../../node/replies/whitelist.ts';

const AT = Temporal.Instant.from('2025-10-28T18:04:00Z');
const ASKED = {
  requester: 'pessoa@example.com',
  jobId: 'b81f04d27e6c93a05f12'.padEnd(64, '0'),
  timeZone: 'America/Sao_Paulo',
};

export const JOBS: readonly AskedJobView[] = [
  {
    jobId: '3f9a62c07be1d4458c90'.padEnd(64, '0'),
    subject: 'RAMAIS=1121,1122 SERVER=gv2p INICIO=27/10/2025 08:00 FIM=28/10/2025 18:00',
    requester: 'pessoa@example.com',
    acceptedAt: AT,
    state: 'processing',
    position: 1,
    ended: null,
  },
  {
    jobId: '90be1d4458c03f9a62c7'.padEnd(64, '0'),
    subject: 'RAMAIS=3010 INICIO=01/10/2025 FIM=28/10/2025',
    requester: 'outra@example.com',
    acceptedAt: AT.add({ minutes: 4 }),
    state: 'pending',
    position: 3,
    ended: null,
  },
  {
    jobId: '1d4458c03f9a62c790be'.padEnd(64, '0'),
    subject: 'CHECKIP=203.0.113.9',
    requester: 'pessoa@example.com',
    acceptedAt: AT.add({ minutes: 9 }),
    state: 'pending',
    position: null,
    ended: null,
  },
];

export const PEOPLE: readonly PersonView[] = [
  { address: '@example.net', role: 'consulta', extensions: null, servers: ['gv1p', 'gv2p'], added: null },
  { address: 'admin@example.com', role: 'admin', extensions: null, servers: null, added: null },
  {
    address: 'cliente@example.org',
    role: 'consulta',
    extensions: ['1121', '1122', '1123'],
    servers: ['gv2p'],
    added: { by: 'admin@example.com', at: AT },
  },
  {
    address: 'tecnico@example.com',
    role: 'operador',
    extensions: null,
    servers: null,
    added: { by: 'admin@example.com', at: AT },
  },
];
const CLIENT = PEOPLE[2] as PersonView;

/** What an admin is told besides. */
export const OPERATOR: NonNullable<StatusView['operator']> = {
  nodeId: 'audio',
  version: '0.4.0',
  role: 'master',
  since: AT,
  warnings: ['SENDER_AUTH is off: anybody can write in the name of a person of the whitelist'],
};

export const STATUS: StatusView = {
  ...ASKED,
  subject: 'STATUS',
  lanes: [
    { lane: 'recordings', pending: 2, processing: 1 },
    { lane: 'servers', pending: 0, processing: 0 },
    { lane: 'forward', pending: 1, processing: 0 },
    { lane: 'replies', pending: 0, processing: 0 },
  ],
  paused: false,
  sources: [
    { name: 'audio', reachable: true },
    { name: 's3', reachable: true },
  ],
  peer: { id: 'audio2', reachable: true },
  operator: null,
};

export const HELP: HelpView = {
  ...ASKED,
  subject: 'AJUDA',
  role: 'admin',
  commands: [
    {
      keyword: 'RAMAIS',
      examples: [
        'RAMAIS=1121,1122 INICIO=27/10/2025 08:00 FIM=27/10/2025 18:00',
        'RAMAIS=1121 INICIO=27/10/2025 FIM=27/10/2025 SERVER=gv2p',
      ],
    },
    { keyword: 'CHECKIP', examples: ['CHECKIP=203.0.113.9', 'CHECKIP=203.0.113.9 SERVER=gv1p MODO=VER'] },
    {
      keyword: 'MACCHANGE',
      examples: ['MACCHANGE=3010 MACATUAL=010203040506 MACFUTURO=010203040599 SERVER=gv2p'],
    },
    {
      keyword: 'WHITELIST',
      examples: [
        'WHITELIST LIST',
        'WHITELIST ADD pessoa@example.com PAPEL=consulta RAMAIS=1121',
        'WHITELIST REMOVE pessoa@example.com',
      ],
    },
    { keyword: 'STATUS', examples: ['STATUS'] },
    { keyword: 'FILA', examples: ['FILA'] },
    { keyword: 'CANCELAR', examples: ['CANCELAR=3f9a62c07be1'] },
    { keyword: 'REENVIAR', examples: ['REENVIAR=3f9a62c07be1'] },
    { keyword: 'AJUDA', examples: ['AJUDA'] },
  ],
  extensions: null,
  servers: null,
  tokenRequired: false,
  mailbox: 'pedidos@example.com',
};

export const QUEUE: QueueView = {
  ...ASKED,
  subject: 'FILA',
  jobs: JOBS.filter(({ requester }) => requester === ASKED.requester),
  total: 2,
  everybody: false,
  incomplete: false,
};

export function whitelist(what: WhitelistView['what'], more: Partial<WhitelistView>): WhitelistView {
  return {
    ...ASKED,
    requester: 'admin@example.com',
    subject: `WHITELIST ${what === 'list' ? 'LIST' : 'ADD cliente@example.org'}`,
    what,
    person: null,
    before: null,
    people: [],
    ...more,
  };
}

export function action(
  what: JobActionView['action'],
  result: JobActionView['result'],
  job: AskedJobView | null,
): JobActionView {
  const subject = `${what === 'cancel' ? 'CANCELAR' : 'REENVIAR'}=3f9a62c07be1`;
  return { ...ASKED, subject, action: what, result, wanted: '3f9a62c07be1', job };
}

/** One mail of each kind about requests and people, as they get them. */
export function requestSamples(others: Readonly<Record<string, ReplyMail>>): Record<string, ReplyMail> {
  const held = (name: string): { subject: string; text: string } => {
    const mail = others[name];
    if (mail === undefined) throw new Error(`no sample ${name}`);
    return mail;
  };
  const job = JOBS[0] as AskedJobView;
  const over: AskedJobView = { ...job, state: 'completed', position: null, ended: 'done' };
  return {
    queue: queueMail(QUEUE),
    'queue-all': queueMail({ ...QUEUE, jobs: JOBS, total: 7, everybody: true, incomplete: true }),
    'queue-empty': queueMail({ ...QUEUE, jobs: [], total: 0 }),
    status: statusMail(STATUS),
    'status-trouble': statusMail({
      ...STATUS,
      paused: true,
      peer: { id: 'audio2', reachable: false },
      sources: [
        { name: 'audio', reachable: true },
        { name: 's3', reachable: false },
      ],
      operator: OPERATOR,
    }),
    help: helpMail(HELP),
    'help-limited': helpMail({
      ...HELP,
      role: 'consulta',
      commands: HELP.commands.filter(({ keyword }) =>
        ['RAMAIS', 'STATUS', 'FILA', 'AJUDA'].includes(keyword),
      ),
      extensions: ['1121', '1122', '1123'],
      servers: ['gv2p'],
      tokenRequired: true,
    }),
    'whitelist-list': whitelistMail(whitelist('list', { people: PEOPLE })),
    'whitelist-added': whitelistMail(whitelist('added', { person: CLIENT })),
    'whitelist-changed': whitelistMail(
      whitelist('changed', { person: CLIENT, before: { ...CLIENT, role: 'operador', extensions: null } }),
    ),
    'whitelist-removed': whitelistMail(whitelist('removed', { person: CLIENT, before: CLIENT })),
    'whitelist-unchanged': whitelistMail(whitelist('unchanged', { person: CLIENT, before: CLIENT })),
    'cancel-done': jobActionMail(action('cancel', 'done', { ...job, ended: 'cancelled', state: 'failed' })),
    'cancel-over': jobActionMail(action('cancel', 'over', over)),
    'cancel-none': jobActionMail(action('cancel', 'none', null)),
    'resend-done': jobActionMail(action('resend', 'done', over)),
    'resend-several': jobActionMail(action('resend', 'several', null)),
    'resend-unreachable': jobActionMail(action('resend', 'unreachable', null)),
    digest: digestMail({
      items: [
        { ...held('result'), at: AT },
        { ...held('refusal'), at: AT.add({ minutes: 12 }) },
      ],
      timeZone: 'America/Sao_Paulo',
    }),
  };
}

import type {
  ControlMethod,
  JobView,
  NodeControl,
  NodeStatus,
  SearchResult,
} from '../../node/listeners/control-contract.ts';
import type { IndexView } from '../../node/listeners/control-index.ts';
import { idByPrefix } from '../../node/queue/id-prefix.ts';
import { AppError } from '../../node/platform/errors.ts';

/** A job id that begins with `prefix`. */
export function jobId(prefix: string): string {
  return prefix.padEnd(64, '0');
}

/** A job with a believable past; `changes` over it. */
export function jobView(changes: Partial<JobView> = {}): JobView {
  return {
    id: jobId('3f9a1c02'),
    state: 'pending',
    lane: 'recordings',
    command: 'RAMAIS',
    subject: 'RAMAIS=1121 INICIO=27/10/2025 FIM=28/10/2025',
    requester: 'pessoa@example.com',
    door: 'mail',
    source: 'audio',
    acceptedAt: '2025-11-11T18:01:22Z',
    attempts: 0,
    notBefore: null,
    position: 1,
    progress: null,
    lastError: null,
    outcome: null,
    acceptedBy: 'audio',
    params: { ramais: ['1121'] },
    steps: [],
    links: [],
    linksExpireAt: null,
    linksRevokedAt: null,
    ...changes,
  };
}

/** A job that ended well, with a recording and its ZIP. */
export function doneJob(changes: Partial<JobView> = {}): JobView {
  return jobView({
    state: 'completed',
    position: null,
    attempts: 1,
    outcome: { kind: 'done', at: '2025-11-11T18:02:00Z', summary: '1 recording delivered' },
    steps: [{ name: 'zip', intentAt: '2025-11-11T18:01:30Z', doneAt: '2025-11-11T18:01:59Z' }],
    links: [
      { name: '1121-3010.wav', url: 'https://gravacoes.example.com/a?s=1', sizeBytes: 320_044 },
      { name: 'gravacoes.zip', url: 'https://gravacoes.example.com/z?s=2', sizeBytes: null },
    ],
    linksExpireAt: '2025-11-12T18:02:00Z',
    linksRevokedAt: null,
    ...changes,
  });
}

export const STATUS: NodeStatus = {
  nodeId: 'audio',
  version: '0.1.0',
  mode: 'master',
  role: 'master',
  term: 3,
  leadership: [],
  peer: null,
  since: '2025-11-10T12:00:00Z',
  uptimeSeconds: 93_784,
  ingest: { state: 'watching', paused: false, lastMailAt: '2025-11-11T18:01:22Z', lastError: null },
  queue: {
    paused: false,
    lanes: [
      { lane: 'recordings', pending: 3, processing: 1 },
      { lane: 'servers', pending: 0, processing: 0 },
    ],
    completed: 120,
    failed: 2,
  },
  sources: ['audio'],
  indexes: [],
  publisher: 'web',
  stateDir: '/var/lib/parelha',
  disk: null,
  warnings: [],
};

/** An index that is ready; `changes` over it. */
export function indexView(changes: Partial<IndexView> = {}): IndexView {
  return {
    source: 'audio',
    state: 'ready',
    message: 'agrees with the disk',
    files: 1_024_912,
    folders: 417,
    watched: 37,
    databaseBytes: 107_000_000,
    progress: null,
    builtAt: '2025-11-01T03:00:00Z',
    sweptAt: '2025-11-11T18:04:20Z',
    auditedAt: '2025-11-08T14:05:00Z',
    ...changes,
  };
}

export const FOUND: SearchResult = {
  source: 'audio',
  timeZone: 'America/Sao_Paulo',
  start: '2025-10-27T08:00:00',
  end: '2025-10-28T18:00:59',
  recordings: [
    {
      key: '2025/10/27/internal-1121-3010-20251027-090000-1.wav',
      origin: '1121',
      destination: '3010',
      startedAt: '2025-10-27T09:00:00',
      sizeBytes: 320_044,
      format: 'wav',
    },
  ],
  total: 1,
  totalBytes: 320_044,
  narrowedByServer: null,
  unreadable: [],
};

/** A node's controls in memory: `jobs` and `calls` are there to set and to look at. */
export interface FakeNodeControl extends NodeControl {
  jobViews: JobView[];
  readonly calls: { readonly method: ControlMethod; readonly params: unknown }[];
}

/** A {@link NodeControl} over jobs in memory; `over` replaces single methods. */
export function fakeNodeControl(over: Partial<NodeControl> = {}): FakeNodeControl {
  const calls: FakeNodeControl['calls'] = [];
  const find = (id: string): JobView => {
    const whole = idByPrefix(
      fake.jobViews.map((job) => job.id),
      id,
    );
    return fake.jobViews.find((job) => job.id === whole) ?? jobView();
  };
  /** Calls that a test gives itself where it makes them. */
  const notHere = (): never => {
    throw new AppError('request.invalid', 'not in this fake');
  };
  const plain: NodeControl = {
    ...{
      promote: notHere,
      demote: notHere,
      handoff: notHere,
      leadership: notHere,
      leadershipHistory: notHere,
    },
    ...{
      pairInvite: notHere,
      pairAccept: notHere,
      pairStatus: notHere,
      pairRotate: notHere,
      pairRemove: notHere,
    },
    ...{ people: notHere, putPerson: notHere, removePerson: notHere },
    ...{ doubts: notHere, resolveDoubt: notHere },
    ...{ tokens: notHere, tokenAdd: notHere, tokenRevoke: notHere, tokenImport: notHere },
    ...{ lockouts: notHere, lockoutClear: notHere },
    ...{
      quarantine: notHere,
      quarantineShow: notHere,
      quarantineRelease: notHere,
      quarantineDismiss: notHere,
    },
    ...{ auditNewest: notHere, auditPage: notHere, auditVerify: notHere },
    ...{
      servers: notHere,
      serverTest: notHere,
      serverHostKeys: notHere,
      serverTrust: notHere,
      serverKey: notHere,
    },
    ...{ macShow: notHere, macRestore: notHere },
    ...{ links: notHere, link: notHere, linkRevoke: notHere },
    ...{ indexStatus: notHere, indexRebuild: notHere, indexVerify: notHere },
    status: () => STATUS,
    jobs: ({ state, limit }) => {
      const matching = fake.jobViews.filter((job) => state === null || job.state === state);
      return { jobs: matching.slice(0, limit), total: matching.length };
    },
    job: ({ id }) => find(id),
    retry: ({ id }) => {
      const job = find(id);
      if (job.state === 'completed')
        throw new AppError('job.wrong-state', 'a completed job is not tried again');
      return { id: job.id, message: `job ${job.id.slice(0, 8)} is tried again` };
    },
    cancel: ({ id }) => ({ id: find(id).id, message: `job ${id} is cancelled` }),
    pause: ({ what }) => ({ message: `${what} is paused` }),
    resume: ({ what }) => ({ message: `${what} goes on` }),
    search: () => FOUND,
    export: () => ({ jobId: jobId('3f9a1c02'), message: 'accepted as the next of its lane' }),
  };
  const recorded = Object.fromEntries(
    Object.entries({ ...plain, ...over }).map(([method, run]) => [
      method,
      (params: never, signal: AbortSignal) => {
        calls.push({ method: method as ControlMethod, params });
        return run(params, signal);
      },
    ]),
  ) as unknown as NodeControl;
  const fake: FakeNodeControl = { ...recorded, jobViews: [], calls };
  return fake;
}

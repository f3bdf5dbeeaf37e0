import { once } from 'node:events';
import type { Caller, Keys } from './contender.ts';
import { submission } from './jobs.ts';
import { type Load, measure } from './load.ts';
import { type ContenderName, CONTENDERS } from './server.ts';

/** What the process of a caller is told when it is started. */
export interface CallerOrder {
  readonly name: ContenderName;
  readonly keys: Keys;
  readonly port: number;
}

/** One measurement. */
export interface LoadOrder {
  readonly part: Part;
  readonly count: number;
  readonly inFlight: number;
  /** Another one each time: what is submitted is named after it. */
  readonly serial: string;
}

export const PARTS = ['get', 'submit'] as const;
export type Part = (typeof PARTS)[number];

/** Until the code of both sides is compiled as it will be. */
const WARM_UP_CALLS = 10_000;
const WARM_UP_IN_FLIGHT = 32;
const KNOWN = submission('known');

const CALLS: Readonly<Record<Part, (caller: Caller, serial: string) => Promise<unknown>>> = {
  get: (caller) => caller.get({ id: KNOWN.id }),
  submit: (caller, serial) => caller.submit(submission(serial)),
};

async function main(): Promise<void> {
  const [{ name, keys, port }] = (await once(process, 'message')) as [CallerOrder];
  const caller = await CONTENDERS[name].connect(keys, port);
  await caller.submit(KNOWN);
  await measure(WARM_UP_CALLS, WARM_UP_IN_FLIGHT, () => CALLS.get(caller, ''));
  process.send?.('ready');
  process.on('message', ({ part, count, inFlight, serial }: LoadOrder) => {
    measure(count, inFlight, (index) => CALLS[part](caller, `${serial} ${index}`)).then(
      (load: Load) => process.send?.(load),
      (error: unknown) => {
        console.error(error);
        process.exit(1);
      },
    );
  });
}

if (import.meta.main) {
  process.once('disconnect', () => process.exit());
  await main();
}

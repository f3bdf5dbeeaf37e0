import { join } from 'node:path';
import { runNodeCtl } from '../../node/cli/program.ts';
import type { NodeControl } from '../../node/listeners/control-contract.ts';
import { openControlSocket } from '../../node/listeners/control.ts';
import { type Clock, systemClock } from '../../node/platform/clock.ts';
import { silentLog } from '../../node/platform/log.ts';
import { temporaryDirectory } from './process.ts';

/** Runs node-ctl in this process, without a terminal, against a daemon that answers so: what it said, and its exit code. */
export async function nodeCtlAgainst(
  control: NodeControl,
  args: readonly string[],
  clock: Clock = systemClock,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  await using directory = await temporaryDirectory();
  const path = join(directory.path, 'control.sock');
  const listener = await openControlSocket({ path, control, log: silentLog });
  const seen = { code: null as number | null, out: '', err: '' };
  await runNodeCtl(['--socket', path, ...args], {
    out: (text) => (seen.out += text),
    err: (text) => (seen.err += text),
    errIsTerminal: false,
    env: {},
    clock,
    interrupted: new AbortController().signal,
    exit: (code) => (seen.code = code),
  });
  await listener.close();
  return seen;
}

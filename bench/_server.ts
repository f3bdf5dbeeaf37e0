import { once } from 'node:events';
import { openJobs } from './rpc/jobs.ts';
import { CONTENDERS } from './rpc/server.ts';
const [{ name, keys, directory }] = await once(process, 'message') as any;
process.send?.(await (CONTENDERS as any)[name].serve(keys, await openJobs(directory)));
await once(process, 'message'); process.exit(0);

import { execFile } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { type Child, eventually, freePort, portReady, startChild, temporaryDirectory } from './process.ts';
import { pathWithDaemons } from './programs.ts';

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 20_000;
/** A port found free may be taken by another suite before Ceph binds it. */
const ATTEMPTS = 3;
export const CEPH_REGION = 'us-east-1';

/** A Ceph RADOS Gateway of our own: S3 that verifies signatures, expiry and conditions. Held in memory. */
export interface Ceph extends AsyncDisposable {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** A client as the project configures it. */
  readonly client: S3Client;
  makeBucket(name: string): Promise<void>;
  /** Ends it; its data goes with it. */
  end(): Promise<void>;
}

/** Starts monitor, object store and gateway on free loopback ports; ready when S3 answers. */
export async function startCeph(): Promise<Ceph> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
    }
  }
}

async function startOnce(): Promise<Ceph> {
  const directory = await temporaryDirectory();
  const children: Child[] = [];
  const accessKey = randomBytes(10).toString('hex').toUpperCase();
  const secretKey = randomBytes(20).toString('hex');
  const end = async (): Promise<void> => {
    await Promise.all(children.map((child) => child.end('SIGKILL')));
    await directory[Symbol.asyncDispose]();
  };
  try {
    const port = await boot(directory.path, children, accessKey, secretKey);
    const endpoint = `http://127.0.0.1:${port}`;
    const client = new S3Client({
      endpoint,
      region: CEPH_REGION,
      forcePathStyle: true,
      credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
    const finish = async (): Promise<void> => {
      client.destroy();
      await end();
    };
    return {
      endpoint,
      region: CEPH_REGION,
      accessKey,
      secretKey,
      client,
      makeBucket: async (name) => {
        await client.send(new CreateBucketCommand({ Bucket: name }));
      },
      end: finish,
      [Symbol.asyncDispose]: finish,
    };
  } catch (error) {
    const said = children.map((child) => child.output()).join('\n');
    await end();
    throw new Error(`Ceph did not start: ${said.slice(-2000)}`, { cause: error });
  }
}

/** Brings the three daemons up; gives the gateway's port. */
async function boot(
  directory: string,
  children: Child[],
  accessKey: string,
  secretKey: string,
): Promise<number> {
  const env = { ...process.env, PATH: pathWithDaemons() };
  const conf = join(directory, 'ceph.conf');
  const keyring = join(directory, 'keyring');
  const command = async (program: string, ...args: string[]): Promise<void> => {
    await run(program, args, { env, timeout: COMMAND_TIMEOUT_MS });
  };
  const daemon = (program: string, ...args: string[]): void => {
    children.push(startChild(program, ['-c', conf, ...args, '-f'], { env }));
  };
  for (const part of ['mon', 'osd', 'rgw']) await mkdir(join(directory, part));
  const fsid = randomUUID();
  const osdId = randomUUID();
  const monitorPort = await freePort();
  const gatewayPort = await freePort();
  await writeFile(conf, configuration(directory, fsid, monitorPort, gatewayPort));

  await command('ceph-authtool', '-C', keyring, '-g', '-n', 'mon.', '--cap', 'mon', 'allow *');
  for (const name of ['client.admin', 'client.rgw', 'osd.0']) {
    const caps = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *'];
    await command('ceph-authtool', keyring, '-g', '-n', name, ...caps);
  }
  const map = join(directory, 'monmap');
  const address = `[v2:127.0.0.1:${monitorPort}]`;
  await command('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', address, map);
  await command('ceph-mon', '-c', conf, '--mkfs', '-i', 'a', '--monmap', map, '--keyring', keyring);
  daemon('ceph-mon', '-i', 'a');
  await portReady(monitorPort);
  await command('ceph', '-c', conf, 'osd', 'new', osdId);
  await command('ceph-osd', '-c', conf, '-i', '0', '--mkfs', '--osd-uuid', osdId);
  daemon('ceph-osd', '-i', '0');
  const user = ['user', 'create', '--uid', 't', '--display-name', 't'];
  await command('radosgw-admin', '-c', conf, ...user, '--access-key', accessKey, '--secret', secretKey);
  daemon('radosgw', '-n', 'client.rgw');
  await eventually(
    'the S3 gateway to answer',
    async () => (await fetch(`http://127.0.0.1:${gatewayPort}/`)).ok,
  );
  return gatewayPort;
}

function configuration(directory: string, fsid: string, monitorPort: number, gatewayPort: number): string {
  return `[global]
fsid = ${fsid}
mon_host = v2:127.0.0.1:${monitorPort}
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_msgr1 = false
keyring = ${directory}/keyring
run_dir = ${directory}
admin_socket =
log_file = ${directory}/$name.log
mon_cluster_log_file = ${directory}/cluster.log
crash_dir = ${directory}
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
mon_allow_pool_size_one = true
osd_crush_chooseleaf_type = 0
mon_data_avail_crit = 0
mon_data = ${directory}/mon
paxos_propose_interval = 0.05
paxos_min_wait = 0.01
osd_data = ${directory}/osd
osd_objectstore = memstore
memstore_device_bytes = 16G
rgw_data = ${directory}/rgw
rgw_frontends = beast endpoint=127.0.0.1:${gatewayPort}
`;
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { missingOf, REQUIREMENTS, type Requirement } from '../test/support/requirements.ts';
import { installMissing } from '../test/toolchain/debian.ts';
import { childEnvironment } from '../test/toolchain/tasks.ts';

interface Bench {
  readonly about: string;
  /** Without these a part of it, or all, is not measured. */
  readonly needs: readonly Requirement[];
  readonly parts: string;
}

/** Each is a program of its own: `bench/<name>.ts`. */
const BENCHES: Readonly<Record<string, Bench>> = {
  latency: {
    about: 'how long people wait: one mail, a hundred at once, a hundred recordings',
    needs: ['dovecot', 'exim', 'ceph'],
    parts: 'mails, web, s3',
  },
  memory: {
    about: 'peak memory of a delivery, small and large',
    needs: ['ceph'],
    parts: 'web, s3',
  },
  search: {
    about: 'finding among a million recordings on disk: the index beside find, fd, rg and walks',
    needs: ['search-tools', 'python'],
    parts: 'flat, dated',
  },
  archive: {
    about: 'putting 500 recordings into a ZIP, beside zip, 7z, yazl, Python and cat',
    needs: ['zip-tools', 'python', 'ceph'],
    parts: 'file, s3, memory',
  },
  bucket: {
    about: 'finding among 200,000 objects of a bucket, beside rclone and a full listing',
    needs: ['ceph', 'rclone'],
    parts: 'dated, flat',
  },
  request: {
    about: '500 recordings among a million, from mail to mail, and where the time goes',
    needs: ['dovecot', 'exim', 'ceph'],
    parts: 'audio, s3',
  },
  sweep: {
    about: 'removing what has expired beside 0, 1,000 and 10,000 results that are open',
    needs: ['ceph'],
    parts: 'web, s3',
  },
  rpc: {
    about: 'what a call between the nodes costs, beside bare TLS and grpc-js',
    needs: [],
    parts: 'get, submit',
  },
};

/** `npm run bench -- NAME [PART …] [OPTIONS]`: runs a bench; without a name it says what there is. */
async function main([name, ...args]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help') {
    process.stdout.write(help());
    return 0;
  }
  const names = name === 'all' ? Object.keys(BENCHES) : [name];
  const unknown = names.find((each) => BENCHES[each] === undefined);
  if (unknown !== undefined) {
    process.stderr.write(`there is no bench ${unknown}\n\n${help()}`);
    return 2;
  }
  if (args.includes('--install')) await installMissing(names.flatMap((each) => BENCHES[each]?.needs ?? []));
  const rest = args.filter((arg) => arg !== '--install');
  let code = 0;
  for (const each of names) code = Math.max(code, await run(each, rest));
  return code;
}

async function run(name: string, args: readonly string[]): Promise<number> {
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...args], {
    env: childEnvironment(),
    stdio: 'inherit',
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return code ?? 1;
}

function help(): string {
  const benches = Object.entries(BENCHES).map(([name, { about, needs, parts }]) => {
    const missing = missingOf(needs);
    const ready = missing.length === 0 ? 'all here' : `not here: ${missing.join(', ')}`;
    const wanted = needs.length === 0 ? 'nothing' : `${needs.join(', ')} (${ready})`;
    return `  ${name.padEnd(9)}${about}\n           parts: ${parts}; needs ${wanted}\n`;
  });
  const packages = new Set(
    Object.values(BENCHES).flatMap(({ needs }) => needs.flatMap((need) => REQUIREMENTS[need].packages)),
  );
  return `Usage: npm run bench -- NAME|all [PART …] [--quick] [--json FILE] [--install]

${benches.join('')}
  --quick    fewer mails and rounds
  --json     adds the figures to FILE
  --install  installs the missing Debian packages first; none of their services is started
             (${[...packages].join(' ')})

Exit code 1 where a goal is missed. docs/PERFORMANCE.md has figures and what they mean.
`;
}

process.exitCode = await main(process.argv.slice(2));

import { expect, test } from 'vitest';
import { createLinkOpenings } from '../../../node/audit/link-openings.ts';
import { silentLog } from '../../../node/platform/log.ts';
import { fixedClock } from '../../support/fixed-clock.ts';
import { createMemoryAudit } from '../../support/memory-audit.ts';

const OPENING = {
  job: 'ab'.repeat(32),
  name: 'a.wav',
  client: '127.0.0.1',
  forwardedFor: '203.0.113.9',
  agent: 'a player',
};

test('the parts that a player asks for are one opening, for ten minutes', async () => {
  const clock = fixedClock();
  const audit = createMemoryAudit();
  const opened = createLinkOpenings(audit, clock, silentLog);
  for (let part = 0; part < 30; part += 1) {
    await opened(OPENING);
    clock.advance({ seconds: 10 });
  }
  expect(audit.events).toEqual([{ event: 'link.opened', ...OPENING }]);
  clock.advance({ minutes: 10 });
  await opened(OPENING);
  expect(audit.events).toHaveLength(2);
});

test('another client, another file and another job are openings of their own', async () => {
  const audit = createMemoryAudit();
  const opened = createLinkOpenings(audit, fixedClock(), silentLog);
  const others = [
    { client: '127.0.0.2' },
    { forwardedFor: '203.0.113.10' },
    { name: 'b.wav' },
    { job: 'cd' },
  ];
  for (const other of [{}, ...others]) await opened({ ...OPENING, ...other });
  expect(audit.events).toHaveLength(5);
});

test('what a client says of itself is shortened', async () => {
  const audit = createMemoryAudit();
  await createLinkOpenings(audit, fixedClock(), silentLog)({ ...OPENING, agent: 'x'.repeat(7000) });
  expect(String(audit.events[0]?.['agent'])).toHaveLength(200);
});

test('who makes up clients anew for one link does not fill the log', async () => {
  const clock = fixedClock();
  const audit = createMemoryAudit();
  const counted: string[] = [];
  const opened = createLinkOpenings(audit, clock, silentLog, (job) => counted.push(job));
  for (let index = 0; index < 500; index += 1) {
    await opened({ ...OPENING, forwardedFor: `203.0.113.${index}`, agent: `agent ${index}` });
  }
  expect(audit.events).toHaveLength(51);
  expect(audit.events.filter((event) => event['more'] === true)).toHaveLength(1);
  expect(counted).toHaveLength(51);
  await opened({ ...OPENING, forwardedFor: '203.0.113.0', agent: 'agent 0', name: 'b.wav' });
  await opened({ ...OPENING, job: 'cd' });
  clock.advance({ minutes: 10 });
  await opened({ ...OPENING, agent: 'another' });
  expect(audit.events.slice(51).map((event) => event['more'])).toEqual([undefined, undefined, undefined]);
});

test('a link opens also while the audit log cannot be written, and the opening is entered with the next part', async () => {
  let isFull = true;
  const audit = createMemoryAudit([], () => {
    if (isFull) throw new Error('no space');
  });
  const opened = createLinkOpenings(audit, fixedClock(), silentLog);
  await opened(OPENING);
  isFull = false;
  await opened(OPENING);
  expect(audit.events).toHaveLength(1);
});

test('each that is entered is counted for its job, and a count that fails turns nobody away', async () => {
  const counted: string[] = [];
  const clock = fixedClock();
  const opened = createLinkOpenings(createMemoryAudit(), clock, silentLog, (job) => {
    counted.push(job);
    throw new Error('no space');
  });
  await opened(OPENING);
  await opened(OPENING);
  await opened({ ...OPENING, name: 'b.wav' });
  clock.advance({ minutes: 10 });
  await opened(OPENING);
  expect(counted).toEqual([OPENING.job, OPENING.job, OPENING.job]);
});

import type { Target } from './engine.ts';
import { MAIL_TARGETS } from './mail-targets.ts';
import { PHONE_TARGETS } from './phone-targets.ts';
import { RECORDING_TARGETS } from './recording-targets.ts';
import { SERVER_TARGETS } from './server-targets.ts';

/** Every parser of what comes from outside. */
export const TARGETS: readonly Target[] = [
  ...MAIL_TARGETS,
  ...PHONE_TARGETS,
  ...RECORDING_TARGETS,
  ...SERVER_TARGETS,
];

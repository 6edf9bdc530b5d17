import type { FidelityProgram } from '../program.js';
import { ENDS } from './ends.js';
import { ERRORS } from './errors.js';
import { INTERPRETER } from './interpreter.js';
import { LIBRARY } from './library.js';
import { PROCESSES } from './processes.js';
import { STREAMS } from './streams.js';

/** By topic and name. Each prints what it finds and nothing that differs between two runs of a plain interpreter. */
export const PROGRAMS: Record<string, Record<string, FidelityProgram>> = {
  interpreter: INTERPRETER,
  streams: STREAMS,
  errors: ERRORS,
  ends: ENDS,
  processes: PROCESSES,
  library: LIBRARY,
};

import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { FazendaError } from '../errors';

/** The checkout's folder, whether this file runs from src/ or from dist/src/. */
export function checkoutRoot(): string {
  for (let folder = __dirname; folder !== dirname(folder); folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'package-lock.json'))) return folder;
  }
  throw new FazendaError('FZ_INTERNAL', `No checkout of fazenda above ${__dirname}`);
}

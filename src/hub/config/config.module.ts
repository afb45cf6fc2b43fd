import { Module, type DynamicModule } from '@nestjs/common';
import type { HubConfig } from './hub-config.js';

/**
 * What was this process told, and is it consistent?
 *
 * The configuration is read once, before the application exists, from environment variables and the files that
 * they name; whoever injects `HUB_CONFIG` gets an object that is complete, consistent and frozen, and nobody reads
 * the environment again. A process with a broken configuration never gets as far as this module: it prints every
 * broken rule by the name of its variable, never a value, and ends with exit code 78.
 *
 * What is kept here of secrets is what the operator gave. The embedded default makes its own, once for each data
 * directory (`secrets.ts`); losing that directory loses what was sealed with them.
 */
@Module({})
export class ConfigModule {
  /** The configuration for every other module. */
  static of(config: HubConfig): DynamicModule {
    const provider = { provide: HUB_CONFIG, useValue: config };
    return { module: ConfigModule, global: true, providers: [provider], exports: [provider] };
  }
}

/** Injects the process's `HubConfig`. */
export const HUB_CONFIG = Symbol('HUB_CONFIG');

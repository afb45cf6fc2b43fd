import { Authority } from '../support/certificates.js';
import { CHART } from './helm.js';

const SEAL_KEY = '7d1c0e5b9f2a4836c1d7e0f3a5928b4c6e8f1a3d5b7c9e0f2a4c6d8e1b3f5a79';
const CLUSTER_SECRET = '3b5a79d1c7e0f3a5928b4c6e8f1a3d5b7c9e0f2a4c6d8e1b7d1c0e5b9f2a4836';
const URL = 'postgres://fairlead:example@database.example.com:5432/fairlead';

const example = (name: string, ...more: string[]) => ['--values', `${CHART}/examples/${name}.yaml`, ...more];

/** Values that the chart is rendered with to see what becomes of them. */
export const SETS: Readonly<Record<string, string[]>> = {
  database: ['--values', `${CHART}/ci/database-values.yaml`],
  everything: ['--values', `${CHART}/ci/everything-values.yaml`],
  production: example('production'),
  'internal-tls': [...example('production'), ...example('internal-tls')],
  'single-node': example('single-node'),
  'managed-database': example('managed-database'),
  'cloudnative-pg': example(
    'cloudnative-pg',
    '--set-string',
    `sealKeys=${SEAL_KEY},clusterSecret=${CLUSTER_SECRET}`,
  ),
};

const { cert, key, ca } = new Authority().sign();

/** Secrets that the values speak of and the chart does not make. */
export const OUTSIDERS = {
  'fairlead-secrets': {
    DATABASE_URL: URL,
    FAIRLEAD_SEAL_KEYS: SEAL_KEY,
    FAIRLEAD_CLUSTER_SECRET: CLUSTER_SECRET,
  },
  'fairlead-db-app': { uri: URL },
  'fairlead-db-ca': { 'ca.crt': ca },
  'fairlead-database-ca': { 'ca.crt': ca, 'bundle.pem': ca },
  'fairlead-internal-tls': { 'tls.crt': cert, 'tls.key': key, 'ca.crt': ca },
};

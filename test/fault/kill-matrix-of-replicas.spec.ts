import { FAULTS_OF_REPLICAS } from './support/faults.js';
import { describeKillMatrix } from './support/kill-matrix.js';

describeKillMatrix(FAULTS_OF_REPLICAS);

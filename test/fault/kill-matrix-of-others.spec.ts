import { FAULTS_OF_OTHERS } from './support/faults.js';
import { describeKillMatrix } from './support/kill-matrix.js';

describeKillMatrix(FAULTS_OF_OTHERS);
